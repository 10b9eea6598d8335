from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check; `remedy` is what to do if it failed."""

    check: str
    status: Literal["ok", "failed", "skipped"]
    text: str
    remedy: str = ""


class CheckError(Exception):
    """Something needs attention.

    Args:
        text: What is wrong.
        remedy: What to do about it.
    """

    def __init__(self, text: str, remedy: str) -> None:
        super().__init__(text)
        self.text = text
        self.remedy = remedy
