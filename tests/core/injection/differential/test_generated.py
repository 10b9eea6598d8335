"""Generated applications respond, call and close the same on both engines, whatever goes wrong."""

import json
import random
from typing import Any

import pytest

from tests.core.injection.differential.application import Builder
from tests.core.injection.differential.exchange import Call, Pair, engines
from tests.core.injection.differential.generator import FAILURES, FORMS, Blueprint, generate

pytestmark = [pytest.mark.unit, pytest.mark.slow]

SEEDS = range(300)

QUERY = "q=2&wanted=3&many=1&many=2&re-named=abc&limit=5&order=a&order=b"
HEADERS = [
    ("User-Agent", "tests"),
    ("X-Count", "7"),
    ("Cookie", "crumb=4; theme=dark; size=2"),
    ("X-Seen", "1"),
    ("X-Many", "a"),
    ("X-Many", "b"),
]
ITEM: dict[str, Any] = {"number": 5, "tag": "t"}
JSON = {**ITEM, "item": ITEM, "embedded": ITEM, "scalar": 3, "optional": ITEM, "items": [ITEM]}
FORM = b"field=1&fields=a&fields=b&number=5&tag=t"
MULTIPART = (
    b'--x\r\nContent-Disposition: form-data; name="field"\r\n\r\n1\r\n'
    b'--x\r\nContent-Disposition: form-data; name="number"\r\n\r\n5\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\n\r\nabc\r\n--x--\r\n'
)


def request(url: str, headers: list[tuple[str, str]], body: bytes = b"", content_type: str = "") -> Call:
    return Call("POST", url, [*headers, ("Content-Type", content_type)] if content_type else headers, body)


def valid(*, form: bool) -> Call:
    body = (FORM, "application/x-www-form-urlencoded") if form else (json.dumps(JSON).encode(), "application/json")
    return request(f"/things/7?{QUERY}", HEADERS, *body)


def variations(draw: random.Random, *, form: bool) -> list[Call]:
    """The valid request, with something missing or wrong."""
    good = valid(form=form)
    path, _, query = good.url.partition("?")
    parts = query.split("&")
    urls = [
        path,
        f"/things/x?{query}",
        f"/things/101?{query}",
        f"{path}?{'&'.join(draw.sample(parts, 4))}",
        f"{path}?q=0&wanted=x&many=y&re-named=toolong&limit=0",
        f"{path}?{query}&wanted=&extra=1&q=9",
    ]
    headers: list[list[tuple[str, str]]] = [
        [],
        draw.sample(HEADERS, 3),
        [("X-Count", "x"), ("Cookie", "crumb=x; size=y"), ("X-Seen", "z")],
    ]
    bodies = [
        (b"", ""),
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"null", "application/json"),
        (b"[]", "application/json"),
        (json.dumps([ITEM]).encode(), "application/vnd.api+json"),
        (json.dumps({"number": "x", "scalar": 0, "items": [{}], "embedded": 1}).encode(), "application/json"),
        (json.dumps(JSON).encode(), ""),
        (json.dumps(JSON).encode(), "text/plain"),
        (b'"\xff"', "application/json"),
        (b"field=x&number=", "application/x-www-form-urlencoded"),
        (MULTIPART, "multipart/form-data; boundary=x"),
        (b"broken", "multipart/form-data"),
    ]
    content_type = "application/x-www-form-urlencoded" if form else "application/json"
    return [
        request(draw.choice(urls), HEADERS, good.body, content_type),
        request(good.url, draw.choice(headers), good.body, content_type),
        *(request(good.url, HEADERS, *body) for body in draw.sample(bodies, 3)),
        request(draw.choice(urls), draw.choice(headers), *draw.choice(bodies)),
        request("/things/7", []),
    ]


def uses_forms(blueprint: Blueprint) -> bool:
    nodes = [*blueprint.nodes, blueprint.handler]
    return any(parameter in FORMS for node in nodes for parameter in node.parameters)


class Generated:
    """One generated application on both engines."""

    def __init__(self, seed: int) -> None:
        self.blueprint = generate(seed)
        self.draw = random.Random(-seed - 1)  # noqa: S311 - it is to be the same in every run
        self.form = uses_forms(self.blueprint)
        self.failures: dict[str, str] = {}
        self.pair = Pair(self.make)

    def make(self, trace: list[str]) -> Any:
        return Builder(self.blueprint, trace, self.failures).build()


@pytest.mark.parametrize("seed", SEEDS)
async def test_both_engines_do_the_same(seed: int) -> None:
    generated = Generated(seed)
    assert engines(generated.pair.stock)["/things/{p}"] == "compiled"
    for call in [valid(form=generated.form), *variations(generated.draw, form=generated.form)]:
        await generated.pair.compare(call)
    names = [node.name for node in generated.blueprint.nodes] + ["handler"]
    for _ in range(6):
        failing = generated.draw.sample(names, min(len(names), generated.draw.choice([1, 1, 2])))
        generated.failures.update({name: generated.draw.choice(FAILURES) for name in failing})
        await generated.pair.compare(valid(form=generated.form))
        generated.failures.clear()


async def test_the_generator_reaches_everything() -> None:
    """Every outcome that matters occurs often: a suite in which all requests fail alike proves nothing."""
    statuses: dict[Any, int] = {}
    closed = raised = tasks = 0
    seeds = SEEDS[:100]
    for seed in seeds:
        generated = Generated(seed)
        outcome = await generated.pair.compare(valid(form=generated.form))
        statuses[outcome.status] = statuses.get(outcome.status, 0) + 1
        closed += any("closed" in line for line in outcome.trace)
        tasks += any("task" in line for line in outcome.trace)
        raised += outcome.raised is not None
    assert statuses[200] + statuses[201] + statuses[207] > len(seeds) * 0.4
    assert closed > len(seeds) * 0.3
    assert tasks > len(seeds) * 0.2
    assert raised > len(seeds) * 0.02
