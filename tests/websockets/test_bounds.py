"""Payloads that cost more to validate than they are worth."""

import json
from typing import Any

import pytest

from src.utils.bounds import MAX_DEPTH, MAX_KEYS, MAX_VALUES
from src.websockets.server import AsyncServer
from tests.support.people import Person
from tests.websockets.conftest import Connect, Join

DEEP: list[Any] = []
for _ in range(MAX_DEPTH):
    DEEP = [DEEP, 1]
OUT_OF_BOUNDS = {
    "keys": {f"{key}": 1 for key in range(MAX_KEYS + 1)},
    "values": {"id": [1] * (MAX_VALUES + 1)},
    "levels": {"id": DEEP},
}


class TestRow47Payload:
    @pytest.mark.parametrize("name", OUT_OF_BOUNDS)
    async def test_out_of_bounds_is_refused_before_it_is_validated(self, join: Join, admin: Person, name: str) -> None:
        ack = await (await join(admin)).call("notice.get", OUT_OF_BOUNDS[name])
        assert (ack["code"], [error["type"] for error in ack["errors"]]) == (1007, ["out_of_bounds"])

    async def test_at_most_50_errors_are_told(self, join: Join, admin: Person) -> None:
        ack = await (await join(admin)).call("notice.get", {f"{key}" * 50: 1 for key in range(MAX_KEYS)})
        assert len(ack["errors"]) == 50
        assert len(json.dumps(ack)) <= 64 * 1024


TEXTS: list[tuple[Any, str]] = [
    ("\0", "data"),
    ({"text": "\0"}, "text"),
    ({"texts": ["a", "\ud800"]}, "texts.1"),
    ({"\0": 1}, "?"),
    ([{"a": {"b": "\0"}}], "0.a.b"),
]


class TestRow54Text:
    @pytest.mark.parametrize(("payload", "field"), TEXTS)
    async def test_that_no_store_accepts_is_refused_though_the_type_is_plain(
        self, sio: AsyncServer, connect: Connect, payload: Any, field: str
    ) -> None:
        @sio.on("any")
        async def handler(data: Any) -> str:
            return "accepted"

        ack = await (await connect()).call("any", payload)
        assert (ack["code"], [error["field"] for error in ack["errors"]]) == (1007, [field])

    async def test_of_a_second_argument_is_refused(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("any")
        async def handler(first: str, second: str) -> str:
            return "accepted"

        ack = await (await connect()).call("any", ("a", "\0"))
        assert [error["field"] for error in ack["errors"]] == ["second"]
