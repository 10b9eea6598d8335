"""Renders the files of a feature from the templates."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from string import Template

from scripts.new_feature.noun import Noun, RefusedError

SNAPSHOTS = "tests/api/openapi.json", "tests/websockets/asyncapi/asyncapi.json", "docs/reference/"
TEMPLATES = Path(__file__).parent / "templates"
# A noun that collides with no other name.
UNHEARD = Noun("unheard_of", "unheard_ofs")


def render(noun: Noun, revision: Mapping[str, str]) -> dict[str, str]:
    """The text of each file by its path; a template has the path of its file, as `NOUN.py.txt` or `NOUNS.py.txt`.

    Raises:
        RefusedError: The noun collides with another name of a file.
    """
    texts: dict[str, str] = {}
    for file in sorted(TEMPLATES.rglob("*.txt")):
        path = file.relative_to(TEMPLATES).as_posix().removesuffix(".txt").replace("MOMENT", revision["moment"])
        path = path.replace("NOUNS", noun.plural).replace("NOUN", noun.singular)
        template = Template(file.read_text())
        text, other = (template.substitute({**word.spellings(), **revision}) for word in (noun, UNHEARD))
        names, distinct = set(_names(text)), set(_names(other))
        if len(names) < len(distinct):
            raise RefusedError(f"{noun.singular!r} collides with another name in {path}: choose another one.")
        texts[path] = text
    return texts


@contextmanager
def all_or_nothing(root: Path, paths: Iterable[str]) -> Iterator[None]:
    """Puts these files back as they were, and what `tidy` writes, if the block does not reach its end."""
    files = {root / path for path in paths} | {file for path in SNAPSHOTS for file in _files(root / path)}
    before = {file: file.read_bytes() if file.exists() else None for file in files}
    try:
        yield
    except BaseException:
        for file, content in before.items():
            if content is None:
                file.unlink(missing_ok=True)
            else:
                file.write_bytes(content)
        raise


def tidy(root: Path, paths: Sequence[str]) -> None:
    """Sort imports and format the files, then write the API documents' snapshots and docs/reference.

    Raises:
        RefusedError: The application does not start with these files.
    """
    modules = [path for path in paths if path.endswith(".py")]
    for command in (
        ["ruff", "check", "--select", "I,RUF022", "--fix", "--quiet", *modules],
        ["ruff", "format", "--quiet", *modules],
        ["scripts.reference", "--documents"],
    ):
        done = subprocess.run([sys.executable, "-m", *command], cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - our own
        if done.returncode:
            raise RefusedError(f"{command[0]} failed: {(done.stderr or done.stdout).strip().rpartition(chr(10))[2]}.")


def _files(path: Path) -> Iterable[Path]:
    return path.iterdir() if path.is_dir() else [path]


def _names(source: str) -> Iterator[str]:
    """Every name that a module defines or uses, without attributes and keyword arguments."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=name) | ast.arg(arg=name) | ast.alias(name=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
