"""When something that recurs happens next: pure functions of time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


class Recurrence(Protocol):
    """Anything that can name its next slot."""

    def next_run(self, after: datetime) -> datetime | None:
        """The first slot later than an aware time; None when there is none."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Slots a fixed time apart, counted from an anchor: neither a late run nor a restart moves them."""

    anchor: datetime
    every: timedelta

    def next_run(self, after: datetime) -> datetime:
        """The first slot later than an aware time, and never before the anchor."""
        return self.anchor + max(0, (after - self.anchor) // self.every + 1) * self.every


@dataclass(frozen=True, slots=True)
class Once:
    """A single slot."""

    at: datetime

    def next_run(self, after: datetime) -> datetime | None:
        """The slot, until it has passed."""
        return self.at if self.at > after else None
