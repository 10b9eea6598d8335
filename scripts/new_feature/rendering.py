"""Renders the files of a feature from the templates."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from string import Template

from scripts.new_feature.noun import Noun, RefusedError

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


def tidy(root: Path, paths: Sequence[str]) -> None:
    """Sort imports and format the files, then write the API documents' snapshots and docs/reference."""
    modules = [path for path in paths if path.endswith(".py")]
    for command in (["check", "--select", "I,RUF022", "--fix"], ["format"]):
        subprocess.run([sys.executable, "-m", "ruff", *command, "--quiet", *modules], cwd=root, check=True)  # noqa: S603 - our own
    command = [sys.executable, "-m", "scripts.reference", "--documents"]
    subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own


def _names(source: str) -> Iterator[str]:
    """Every name that a module defines or uses, without attributes and keyword arguments."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=name) | ast.arg(arg=name) | ast.alias(name=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
