"""Recurrence rules: pure functions from a time to the next slot."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


class Recurrence(Protocol):
    """A rule that yields slots in order."""

    def next_run(self, after: datetime) -> datetime | None:
        """The first slot after an aware time; None if there is none."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Slots at a fixed distance from an anchor, so that neither a late run nor a restart shifts them."""

    anchor: datetime
    every: timedelta

    def next_run(self, after: datetime) -> datetime:
        """The first slot after an aware time, at or after the anchor."""
        return self.anchor + max(0, (after - self.anchor) // self.every + 1) * self.every


@dataclass(frozen=True, slots=True)
class Once:
    """A single slot."""

    at: datetime

    def next_run(self, after: datetime) -> datetime | None:
        """The slot; None once it has passed."""
        return self.at if self.at > after else None
