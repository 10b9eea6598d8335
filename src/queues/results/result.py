from collections.abc import Iterable
from typing import NamedTuple

from celery import states


class Result(NamedTuple):
    """A result to store: its key, what is stored there, for how many seconds (0: forever), and the task's state."""

    key: str
    value: str
    expires_seconds: int
    state: str

    def is_late_after(self, known: "Result") -> bool:
        """Whether it was overtaken: success is for good, and a retry may end before its predecessor has said so."""
        ended = known.state in states.READY_STATES
        return known.state == states.SUCCESS or (self.state == states.RETRY and ended)


def last_of_each(results: Iterable[Result]) -> list[Result]:
    """Of one task's states only the last has to be written."""
    last: dict[str, Result] = {}
    for result in results:
        known = last.get(result.key)
        if known is None or not result.is_late_after(known):
            last[result.key] = result
    return list(last.values())
