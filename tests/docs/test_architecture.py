"""docs/architecture.md and docs/where.md against the code: what they name is there, and has the value that they say."""

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from tests.docs.readme import ROOT

PAGES = {name: (ROOT / "docs" / name).read_text() for name in ("architecture.md", "where.md")}
FILE = r"(?:alembic|docs|scripts|src|tests)/[\w./-]+|alembic\.ini|docker-compose\.yml|Dockerfile|pyproject\.toml"
# A file, a name in it, and the value that the page says it has.
PLACE = re.compile(rf"`({FILE})(?::([\w.]+))?`(?: = (\d+(?:\.\d+)?))?")
OF_UVICORN = {"FORWARDED_ALLOW_IPS"}
# A question has one row, with its place.
ROWS = [line.strip("| ").split(" | ") for line in PAGES["where.md"].splitlines() if line.startswith("| ")]


@cache
def defined(file: str) -> dict[str, ast.expr | None]:
    """What a module defines, by the name and by the dotted one; with the value of what is assigned."""
    found: dict[str, ast.expr | None] = {}
    for name, value in _definitions(ast.parse((ROOT / file).read_text()).body):
        found[name] = value
        found.setdefault(name.rpartition(".")[2], value)
    return found


def _definitions(nodes: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.expr | None]]:
    for node in nodes:
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield prefix + node.name, None
                yield from _definitions(node.body, f"{prefix}{node.name}.")
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=value)
            ):
                yield prefix + name, value


def fault(file: str, name: str, value: str) -> str | None:
    """What is wrong with a place; None if nothing is."""
    if not (ROOT / file).exists():
        return f"there is no {file}"
    if not name:
        return None
    if not file.endswith(".py"):
        return None if re.search(rf"\b{name}\b", (ROOT / file).read_text()) else f"{file} has no {name}"
    if name not in defined(file):
        return f"{file} has no {name}"
    assigned = defined(file)[name]
    if value and (assigned is None or ast.unparse(assigned) != value):
        return f"{file}:{name} is not {value}"
    return None


@pytest.mark.parametrize("page", PAGES)
def test_every_place_exists(page: str) -> None:
    places = PLACE.findall(PAGES[page])
    assert len(places) > 30
    assert list(filter(None, (fault(*place) for place in places))) == []


@pytest.mark.parametrize(
    "place",
    [
        "`src/core/nowhere.py`",
        "`src/core/health.py:Nobody`",
        "`src/core/tasks/info.py:TaskInfo.nothing`",
        "`src/console/app/src/menu.ts:NOTHING`",
        "`src/services/email_link.py:MAILS_PER_ADDRESS` = 6",
    ],
)
def test_a_wrong_place_is_found(place: str) -> None:
    assert [fault(*found) for found in PLACE.findall(place)] != [None]


def test_every_setting_exists() -> None:
    names = set(re.findall(r"`([A-Z0-9]+(?:_[A-Z0-9]+)+)`", PAGES["where.md"])) - OF_UVICORN
    configuration = (ROOT / "docs/configuration.md").read_text()
    assert [name for name in sorted(names) if f"`{name}`" not in configuration] == []


def test_every_question_has_one_row() -> None:
    questions = [question for question, _ in ROWS if question not in ("question", "---")]
    assert sorted(set(questions)) == sorted(questions)
    assert [place for question, place in ROWS if question in questions and "`" not in place] == []


def test_every_place_of_the_glossary_exists() -> None:
    places = re.findall(r"`(src/[\w/.]+)`", (ROOT / "docs/glossary.md").read_text())
    assert [place for place in places if not (ROOT / place).exists()] == []
