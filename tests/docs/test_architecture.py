"""docs/architecture.md and docs/where.md against the code: what they name is there, and has the value that they say."""

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import cache

import pytest

from tests.docs.readme import ROOT
from tests.docs.test_configuration import FIELDS, FOREIGN, shown

PAGES = {name: (ROOT / "docs" / name).read_text() for name in ("architecture.md", "where.md")}
FILE = r"(?:alembic|docs|scripts|src|tests)/[\w./-]+|alembic\.ini|docker-compose\.yml|Dockerfile|pyproject\.toml"
UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "minute": 60, "hour": 3600, "day": 86_400}
VALUE = rf"(?: = ([\w.]*\w)(?: ({'|'.join(UNITS)})s?\b)?)?"
# A file, a name in it, and the value that the page says it has; a setting, and its default.
PLACE = re.compile(rf"`({FILE})(?::([\w.-]+))?`{VALUE}")
SETTING = re.compile(rf"`([A-Z0-9]+(?:_[A-Z0-9]+)+)`{VALUE}")
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


def constant(file: str, node: ast.expr | None) -> object:
    """The value of a number, a text, a product, a time span, a name, or the first argument of a call; else None."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            factors = [constant(file, side) for side in (left, right)]
            numbers = [factor for factor in factors if isinstance(factor, int | float)]
            return numbers[0] * numbers[1] if len(numbers) == 2 else None
        case ast.Call(func=ast.Name(id="timedelta"), keywords=[ast.keyword(arg=str(unit), value=number)]):
            return timedelta(**{unit: ast.literal_eval(number)}).total_seconds()
        case ast.Call(args=[first, *_]):
            return constant(file, first)
        case ast.Name(id=name):
            return constant(file, defined(file).get(name))
    return None


def is_value(value: object, text: str, unit: str, of_days: bool = False) -> bool:
    """Whether a page writes a value so: a number is in bytes, seconds or pieces, unless it is one `of_days`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return not unit and text == (str(value).lower() if isinstance(value, bool) else value)
    factor = UNITS.get(unit, 1) / (UNITS["day"] if of_days and unit else 1)
    return re.fullmatch(r"\d+(\.\d+)?", text) is not None and float(text) * factor == value


def fault(file: str, name: str, text: str = "", unit: str = "") -> str | None:
    """What is wrong with a place; None if nothing is."""
    if not (ROOT / file).exists():
        return f"there is no {file}"
    if not name:
        return None
    if not file.endswith(".py"):
        found = re.search(rf"\b{name}\b" + (rf"\W+{text}\b" if text else ""), (ROOT / file).read_text())
        return None if found else f"{file} has no {name} {text}"
    if name not in defined(file):
        return f"{file} has no {name}"
    if text and not is_value(constant(file, defined(file)[name]), text, unit):
        return f"{file}:{name} is not {text} {unit}"
    return None


def default_fault(name: str, text: str, unit: str) -> str | None:
    """What is wrong with a setting, or with the default that a page says it has; None if nothing is."""
    if name in FOREIGN or name in OF_UVICORN:
        return None
    if name not in FIELDS:
        return f"there is no {name}"
    default = FIELDS[name].default
    if shown(FIELDS[name]) == "—" or isinstance(default, list | dict):
        return f"{name} has no default {text}" if text else None
    return None if is_value(default, text, unit, name.endswith("_DAYS")) else f"{name} is not {text} {unit}"


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
        "`Dockerfile:timeout-graceful-shutdown` = 21",
        "`src/services/email_link.py:MAILS_PER_ADDRESS` = 6",
        "`src/services/email_link.py:LIFETIME` = 31 minutes",
        "`src/services/email_link.py:LIFETIME` = 30",
        "`src/core/tasks/run_event.py:MAXIMUM_BYTES` = 16 MiB",
        "`src/deps/rate_limit.py:MAILS` = 101",
        "`src/schemas/api_key.py:ApiKeyRotate.overlap_seconds` = 2 days",
        "`src/models/schedule.py:MisfirePolicy.RUN_ONCE` = skip",
        "`src/core/health.py:check_store` = 3",
    ],
)
def test_a_wrong_place_is_found(place: str) -> None:
    assert [fault(*found) for found in PLACE.findall(place)] != [None]


def test_every_setting_exists_and_has_its_default() -> None:
    settings = SETTING.findall(PAGES["where.md"])
    assert len(settings) > 30
    assert list(filter(None, (default_fault(*setting) for setting in settings))) == []


@pytest.mark.parametrize(
    "setting",
    [
        "`NO_SUCH_SETTING`",
        "`SQL_POOL_SIZE`",
        "`SQL_POOL_SIZE` = 11",
        "`MAX_BODY_BYTES` = 1 KiB",
        "`AUDIT_RETENTION_DAYS` = 365 minutes",
        "`SQL_POOLER` = transaction",
        "`API_KEYS_ENABLED` = false",
        "`SQL_REPLICA_URL` = 5",
    ],
)
def test_a_wrong_setting_is_found(setting: str) -> None:
    assert [default_fault(*found) for found in SETTING.findall(setting)] != [None]


def test_every_number_is_said() -> None:
    silent = [
        f"{file}:{name}"
        for file, name, text, _ in PLACE.findall(PAGES["where.md"])
        if not text and file.endswith(".py") and name.rpartition(".")[2].isupper()
        if isinstance(constant(file, defined(file).get(name)), int | float)
    ]
    assert silent == []


def test_every_question_has_one_row() -> None:
    questions = [question for question, _ in ROWS if question not in ("question", "---")]
    assert sorted(set(questions)) == sorted(questions)
    assert [place for question, place in ROWS if question in questions and "`" not in place] == []


def test_every_place_of_the_glossary_exists() -> None:
    places = re.findall(r"`(src/[\w/.]+)`", (ROOT / "docs/glossary.md").read_text())
    assert [place for place in places if not (ROOT / place).exists()] == []
