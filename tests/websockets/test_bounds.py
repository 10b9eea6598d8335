"""Payloads that cost more to validate than they are worth."""

import json
from typing import Any

import pytest

from src.utils.bounds import MAX_DEPTH, MAX_KEYS, MAX_VALUES
from tests.support.people import Person
from tests.websockets.conftest import Join

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
