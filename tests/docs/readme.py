"""README.md, taken apart."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str, text: str = README) -> list[str]:
    """The code blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.+?)^```$", text, re.MULTILINE | re.DOTALL)


def section(title: str) -> str:
    """A section, with those below it."""
    head = re.search(rf"^(#+) {title}\n", README, re.MULTILINE)
    assert head, f"README.md has no section {title!r}"
    # One # alone is a comment of an example.
    return re.split(rf"^#{{2,{len(head[1])}}} ", README[head.end() :], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row, without the heads."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in lines if not line.startswith(("| ---", "| route", "| name"))]


def shell_lines() -> list[str]:
    """Every command that a reader is told to type."""
    return [line for block in blocks("bash") for line in block.splitlines()]
