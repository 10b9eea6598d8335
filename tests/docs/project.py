"""A copy of the project, changed as a page says: its code blocks name the file that they belong to.

`# src/a.py` (TypeScript: `// src/a.ts`) is a new file, or an excerpt of one that exists. ``# src/a.py, below `text` ``
goes below the first line that has the text, or the second with `(2)`; `in place of` replaces that line, `at the end` is
the end of the file.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.docs.readme import ROOT, blocks

LEFT_OUT = shutil.ignore_patterns(
    *("node_modules", ".git", ".venv", ".local", ".env", ".env.pytest", "__pycache__", ".coverage*", "htmlcov"),
    *("built", ".mypy_cache", ".ruff_cache"),
)
HEAD = re.compile(
    r"(?:#|//) ((?:src|tests)/[\w./]+\.(?:py|ts|vue))(?:, (below|in place of|at the end)(?: `(.+?)`(?: \((\d)\))?)?)?\n"
)


def copy_project(target: Path) -> Path:
    """Copy what Git knows of the project, without the console."""
    shutil.copytree(ROOT, target, ignore=LEFT_OUT, symlinks=True)
    (target / "src/console/built").symlink_to(ROOT / "src/console/built")
    return target


def apply(project: Path, page: Path) -> list[str]:
    """Make the changes of a page, and return its new files."""
    changed = [apply_block(project, block, page.name) for block in blocks("python", page.read_text())]
    return [file for file in changed if file and not (ROOT / file).exists()]


def apply_block(project: Path, block: str, page: str) -> str | None:
    """Make the change of a block, and return its file; an excerpt is compared with the code, line by line."""
    if not (head := HEAD.match(block)):
        return None
    file, where, text, number = head.groups()
    path, code = project / file, block[head.end() :]
    if where == "at the end":
        path.write_text(path.read_text() + code)
    elif where:
        edit(path, text, int(number or 1), code, replace=where == "in place of")
    elif (ROOT / file).exists():
        lines = iter(path.read_text().splitlines())
        assert [line for line in code.splitlines() if line not in lines] == [], f"{page}: not in {file}"
    else:
        assert not path.exists(), f"{page}: another page has written {file}"
        path.write_text(code)
    return file


def edit(path: Path, text: str, number: int, code: str, *, replace: bool) -> None:
    """Insert the code below a line, or in its place."""
    lines = path.read_text().splitlines(keepends=True)
    places = [place for place, line in enumerate(lines) if text in line]
    assert len(places) >= number, f"{path.name} has no line {number} with {text!r}"
    place = places[number - 1]
    lines[place : place + 1] = [code] if replace else [lines[place], code]
    path.write_text("".join(lines))


def run(project: Path, command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a command in the copy; it must succeed."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTHONPYCACHE"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{ours['PATH']}"
    variables = {**ours, "BOOTSTRAP": "0", "PATH": path, **environment}
    done = subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def run_tests(project: Path, tests: Iterable[str]) -> str:
    """Run tests in the copy, in databases of their own on the servers of these tests."""
    return run(project, [sys.executable, "-m", "pytest", "-q", *tests], {})
