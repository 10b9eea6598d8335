"""README.md and its companion pages, taken apart."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
REFERENCE = (ROOT / "docs/reference.md").read_text()
OPERATIONS = (ROOT / "docs/operations.md").read_text()


def blocks(language: str, text: str = README) -> list[str]:
    """The code blocks of a language, in order, those inside lists included."""
    found = re.findall(rf"^( *)```{language}\n(.+?)^\1```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def section(title: str, text: str = README) -> str:
    """A section, with its subsections."""
    head = re.search(rf"^(#+) {title}\n", text, re.MULTILINE)
    assert head, f"There is no section {title!r}"
    # One # alone is a comment in an example.
    return re.split(rf"^#{{2,{len(head[1])}}} ", text[head.end() :], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row, without the heads."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in lines if not line.startswith(("| ---", "| route", "| name"))]


def shell_lines(text: str = README) -> list[str]:
    """Every command that a reader is told to type."""
    return [line for block in blocks("bash", text) for line in block.splitlines()]
