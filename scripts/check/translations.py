"""Translated pages: `NAME-CN.md` is `NAME.md` in Chinese, and keeps the hash of the text that it was made from.

`python -m scripts.check.translations` fails if an original has changed since, or if code blocks differ. `--renew`
writes the hashes: run it after you have translated what has changed.
"""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MARK = re.compile(r"\n<!-- translated from (\S+), sha256 (\w+) -->\n\Z")


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
    found = re.findall(r"^( *)```(\w+)\n(.+?)^\1```$", text, re.MULTILINE | re.DOTALL)
    return [(language, _untranslated(language, code)) for _, language, code in found]


def _untranslated(language: str, code: str) -> str:
    if language == "text":
        return re.sub(r"(?<=\S)  +\S.*$", "", code, flags=re.MULTILINE)
    return re.sub(r" *# .*$", "", code, flags=re.MULTILINE)


def problems() -> list[str]:
    """One line for each translation that cannot be trusted."""
    found = []
    for page in translations():
        text, original = page.read_text(), original_of(page)
        name = page.relative_to(ROOT).as_posix()
        mark = MARK.search(text)
        if mark is None or mark[2] != digest(original):
            found.append(f"{name} is older than {original.name}: translate what has changed, then --renew.")
        if code_blocks(text) != code_blocks(original.read_text()):
            found.append(f"{name} has other code blocks than {original.name}.")
    return found


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
