"""Translated pages: `NAME-CN.md` is `NAME.md` in Chinese, and keeps the hash of the text that it was made from.

`python -m scripts.check.translations` fails if an original has changed since, if code or links differ, or if Chinese
punctuation and spaces are not as they should be. `--renew` writes the hashes: run it after you have translated what has
changed.
"""

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from autocorrect_py import lint_for

ROOT = Path(__file__).resolve().parents[2]
MARK = re.compile(r"\n<!-- translated from (\S+), sha256 (\w+) -->\n\Z")
BLOCK = re.compile(r"^( *)```(\w+)\n(.+?)^\1```$", re.MULTILINE | re.DOTALL)


def translations() -> list[Path]:
    """The translated pages that Git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*-CN.md"]
    return [ROOT / line for line in subprocess.check_output(command, cwd=ROOT, text=True).splitlines()]  # noqa: S603 - ours


def original_of(page: Path) -> Path:
    """The page that it is a translation of."""
    return page.with_name(page.name.replace("-CN.md", ".md"))


def digest(page: Path) -> str:
    """The hash of a page's text, without its title, which `manage.sh rename` may change."""
    return hashlib.sha256(page.read_text().partition("\n")[2].encode()).hexdigest()[:16]


def code_blocks(text: str) -> list[tuple[str, str]]:
    """Language and code of each block, without what a translator writes: comments, and the labels of a tree."""
    return [(language, _untranslated(language, code)) for _, language, code in BLOCK.findall(text)]


def _untranslated(language: str, code: str) -> str:
    if language == "text":
        return re.sub(r"(?<=\S)  +\S.*$", "", code, flags=re.MULTILINE)
    return re.sub(r" *# .*$", "", code, flags=re.MULTILINE)


def inline_code(text: str) -> set[str]:
    """The code inside sentences."""
    return {" ".join(code.split()) for code in re.findall(r"`((?:[^`\n]|\n(?!\n))+)`", BLOCK.sub("", text))}


def links(text: str) -> list[str]:
    """The pages and addresses that a page leads to, without fragments."""
    return re.findall(r"\]\(([^)#\s]+)", BLOCK.sub("", text))


def _problems_of(page: Path) -> Iterator[str]:
    text, original = page.read_text(), original_of(page)
    english = original.read_text()
    mark = MARK.search(text)
    if mark is None or mark[2] != digest(original):
        yield "is older than its original: translate what has changed, then --renew."
    if code_blocks(text) != code_blocks(english):
        yield "has other code blocks than its original."
    if code := inline_code(text) - inline_code(english):
        yield f"names code that its original does not: {', '.join(sorted(code))}."
    there, back = f"English | [中文]({page.name})\n", f"[English]({original.name}) | 中文\n"
    if there not in english or back not in text:
        yield "and its original do not link to each other below their titles."
    yield from _problems_of_links(page, text.replace(back, ""), english.replace(there, ""))
    yield from (f"has to say, in line {line.line}: {line.new}" for line in lint_for(text, "markdown").lines)


def _problems_of_links(page: Path, text: str, english: str) -> Iterator[str]:
    targets = links(text)
    if sorted(target.replace("-CN.md", ".md") for target in targets) != sorted(links(english)):
        yield "has other links than its original."
    for target in targets:
        if target.endswith(".md") and (page.parent / target.replace(".md", "-CN.md")).exists():
            yield f"links to {target}, which has a translation."


def problems() -> list[str]:
    """One line for each reason not to trust a translation."""
    return [f"{page.relative_to(ROOT)} {problem}" for page in translations() for problem in _problems_of(page)]


def renew() -> None:
    """Write the hashes of the originals into the translations."""
    for page in translations():
        original = original_of(page)
        text = MARK.sub("", page.read_text()).rstrip("\n")
        page.write_text(f"{text}\n\n<!-- translated from {original.name}, sha256 {digest(original)} -->\n")


if __name__ == "__main__":
    if "--renew" in sys.argv:
        renew()
    sys.exit("\n".join(problems()) or None)
