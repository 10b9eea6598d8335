"""What mypy says about right and wrong uses of tasks."""

import re
from pathlib import Path

import pytest
from mypy import api

ROOT = Path(__file__).resolve().parents[2]
SNIPPET = """
from typing import Any

from src.queues.celery import Celery

app = Celery("typed")


@app.task
async def f(x: int) -> str:
    return str(x)


@app.task(name="g", acks_late=True)
def g(x: int, *, y: str = "") -> int:
    return x


@app.task(bind=True, max_retries=3)
async def h(self: Any, x: int) -> list[int]:
    return [x]


async def uses() -> None:
    reveal_type(f.delay(1))  # -> AsyncResult[str]
    reveal_type(await f.adelay(1))  # -> AsyncResult[str]
    reveal_type(await f(1))  # -> str
    reveal_type(f.apply_async((1,), countdown=5))  # -> AsyncResult[str]
    reveal_type(f.s(1))  # -> Signature[str]
    reveal_type(g(1))  # -> int
    reveal_type(g.delay(1, y="a"))  # -> AsyncResult[int]
    reveal_type(h.delay(1))  # -> AsyncResult[list[int]]
    f.delay("a")  # error: arg-type
    f.delay()  # error: call-arg
    await f.adelay(None)  # error: arg-type
    f.adelay(1)  # error: unused-coroutine
    g.delay(1, z="a")  # error: call-arg
    g.si("a")  # error: arg-type
    h.delay("a")  # error: arg-type
    app.task(name="i", ack_late=True)  # error: call-overload
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, str, str]]:
    """What mypy says: line, `note` or `error`, text."""
    path = tmp_path_factory.mktemp("typed") / "snippet.py"
    path.write_text(SNIPPET)
    output, errors, _ = api.run([str(path), "--config-file", str(ROOT / "pyproject.toml"), "--no-pretty"])
    assert not errors
    return [(int(line), kind, text) for line, kind, text in re.findall(r"snippet\.py:(\d+): (\w+): (.*)", output)]


def expected(mark: str) -> dict[int, str]:
    return {n: line.split(mark)[1] for n, line in enumerate(SNIPPET.splitlines(), 1) if mark in line}


def test_right_uses_have_the_types_of_the_function(said: list[tuple[int, str, str]]) -> None:
    notes = {line: re.sub(r"\bcelery\.\w+\.", "", text) for line, _, text in said if "Revealed" in text}
    assert notes == {line: f'Revealed type is "{kind}"' for line, kind in expected("# -> ").items()}


def test_wrong_uses_are_errors(said: list[tuple[int, str, str]]) -> None:
    errors = {line: text.rpartition("[")[2].rstrip("]") for line, kind, text in said if kind == "error"}
    assert errors == expected("# error: ")
