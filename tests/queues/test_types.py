"""mypy and pyright accept correct uses of tasks, and report incorrect ones."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mypy import api

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SNIPPET = """
from typing import Any

from src.queues.celery import Celery, Task, chain, chord, group

app = Celery("typed")


@app.task
async def f(x: int) -> str:
    return str(x)


@app.task(name="g", acks_late=True)
def g(x: int, *, y: str = "") -> int:
    return x


@app.task(bind=True, max_retries=3)
async def h(self: Task, x: int) -> list[int]:
    reveal_type(self.retry())  # -> Retry
    return [x]


@app.task
def add(x: int, y: int) -> int:
    return x + y


@app.task
async def total(numbers: list[int]) -> float:
    return sum(numbers)


@app.task
async def failed(request: Any, error: Exception, traceback: str, note: str = "") -> None: ...


@app.task(bind=True)  # error: arg-type
async def i(self: int, x: int) -> list[int]:
    return [x]


async def uses() -> None:
    reveal_type(f.delay(1))  # -> AsyncResult[str]
    reveal_type(f.delay(1).get())  # -> str
    reveal_type(await f.adelay(1))  # -> AsyncResult[str]
    reveal_type(await f(1))  # -> str
    reveal_type(f.apply_async((1,), countdown=5))  # -> AsyncResult[str]
    reveal_type(f.options(countdown=5, queue="x").delay(1))  # -> AsyncResult[str]
    reveal_type(await f.options(countdown=5).adelay(1))  # -> AsyncResult[str]
    reveal_type(f.s(1))  # -> Signature[str]
    reveal_type(g(1))  # -> int
    reveal_type(g.delay(1, y="a"))  # -> AsyncResult[int]
    reveal_type(h.delay(1))  # -> AsyncResult[list[int]]
    reveal_type(add.s(1, 2))  # -> Signature[int]
    reveal_type(add.s(2))  # -> Signature[int]
    reveal_type(add.s(y=2).set(queue="x"))  # -> Signature[int]
    reveal_type(add.options(queue="x").s(2))  # -> Signature[int]
    reveal_type(failed.s(note="a"))  # -> Signature[None]
    reveal_type(add.s(1, 2) | f.s())  # -> Signature[str]
    reveal_type(chain(add.s(1, 2), add.s(2), f.s()).delay())  # -> AsyncResult[str]
    reveal_type(group(add.s(1, n) for n in range(3)).delay())  # -> GroupResult[int]
    reveal_type(group(add.s(1, 1), add.s(2, 2)).delay().get())  # -> list[int]
    reveal_type(group(add.s(1, 1), add.s(2, 2)) | total.s())  # -> Signature[float]
    reveal_type(chord(add.s(1, n) for n in range(3))(total.s()))  # -> AsyncResult[float]
    reveal_type(chord([add.s(1, 2)], total.s()).delay().get())  # -> float
    f.delay("a")  # error: arg-type
    f.delay()  # error: call-arg
    await f.adelay(None)  # error: arg-type
    f.adelay(1)  # error: unused-coroutine
    f.options(countdown=5).delay("a")  # error: arg-type
    f.options(count_down=5)  # error: call-arg
    g.delay(1, z="a")  # error: call-arg
    g.si("a")  # error: arg-type
    h.delay("a")  # error: arg-type
    add.s("a", 2)  # error: call-overload reportArgumentType
    add.s("a")  # error: call-overload reportArgumentType
    add.s(1, 2, 3)  # error: call-overload
    add.s(z=1)  # error: call-overload
    h.s("a")  # error: call-overload reportArgumentType
    add.options(queue="x").s("a", 2)  # error: call-overload reportArgumentType
    add.options(queue="x").si("a", 2)  # error: arg-type
    chain(add.s("a", 2), f.s())  # error: call-overload reportArgumentType
    app.task(name="j", ack_late=True)  # error: call-overload
"""
PYRIGHT = {
    "arg-type": "reportArgumentType",
    "call-arg": "reportCallIssue",
    "call-overload": "reportCallIssue",
    "unused-coroutine": "reportUnusedCoroutine",
}


@pytest.fixture(scope="module")
def snippet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("typed") / "snippet.py"
    path.write_text(SNIPPET)
    return path


def expected(mark: str) -> dict[int, str]:
    """By line, what follows the mark: a type, or the code of mypy's error, and pyright's if it is not the usual one."""
    return {n: line.split(mark)[1] for n, line in enumerate(SNIPPET.splitlines(), 1) if mark in line}


@pytest.fixture(scope="module")
def mypy(snippet: Path) -> list[tuple[int, str, str]]:
    """Line, `note` or `error`, text."""
    output, errors, _ = api.run([str(snippet), "--config-file", str(ROOT / "pyproject.toml"), "--no-pretty"])
    assert not errors
    return [(int(line), kind, text) for line, kind, text in re.findall(r"snippet\.py:(\d+): (\w+): (.*)", output)]


@pytest.fixture(scope="module")
def pyright(snippet: Path) -> list[tuple[int, str, str, str]]:
    """Line, severity, rule, text."""
    configuration = {"include": [snippet.name], "extraPaths": [str(ROOT)], "typeCheckingMode": "standard"}
    (snippet.parent / "pyrightconfig.json").write_text(json.dumps(configuration))
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable]
    found = subprocess.run([*command, "-p", snippet.parent], check=False, capture_output=True, text=True)  # noqa: S603 - ours
    return [
        (one["range"]["start"]["line"] + 1, one["severity"], one.get("rule", ""), one["message"])
        for one in json.loads(found.stdout)["generalDiagnostics"]
    ]


class TestMypy:
    def test_correct_uses_have_the_types_of_the_function(self, mypy: list[tuple[int, str, str]]) -> None:
        notes = {
            line: re.sub(r"\b(src\.queues|celery)\.\w+\.", "", text) for line, _, text in mypy if "Revealed" in text
        }
        assert notes == {line: f'Revealed type is "{kind}"' for line, kind in expected("# -> ").items()}

    def test_incorrect_uses_are_errors(self, mypy: list[tuple[int, str, str]]) -> None:
        errors = {line: text.rpartition("[")[2].rstrip("]") for line, kind, text in mypy if kind == "error"}
        assert errors == {line: codes.split()[0] for line, codes in expected("# error: ").items()}


class TestPyright:
    def test_correct_uses_have_the_types_of_the_function(self, pyright: list[tuple[int, str, str, str]]) -> None:
        notes = {line: text for line, severity, _, text in pyright if severity == "information"}
        assert {line: text.rpartition(' is "')[2].removesuffix('"') for line, text in notes.items()} == expected(
            "# -> "
        )

    def test_incorrect_uses_are_errors(self, pyright: list[tuple[int, str, str, str]]) -> None:
        errors = {line: rule for line, severity, rule, _ in pyright if severity == "error"}
        rules = {line: codes.split() for line, codes in expected("# error: ").items()}
        assert errors == {line: PYRIGHT.get(codes[-1], codes[-1]) for line, codes in rules.items()}
