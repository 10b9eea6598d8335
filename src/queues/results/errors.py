"""Why a run does not start, or not again."""

from typing import Any

from celery.exceptions import Ignore


class PoisonedTaskError(Exception):
    """A run lost its worker too often to be started again."""


class RevokedRunError(Ignore):
    """A run was revoked before it started."""


class DuplicateRunError(Ignore):
    """A run did not start, because another one with the same values of `unique_by` was running."""


class SucceededRunError(Ignore):
    """A run does not start again: it had succeeded with this result when its worker was lost."""

    outcome = "succeeded"  # as which metrics count it

    def __init__(self, result: Any) -> None:
        super().__init__(result)
        self.result = result
