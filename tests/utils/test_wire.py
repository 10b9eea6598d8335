"""What handlers return and emit, as packets carry it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticSerializationError

from src.utils.wire import dumps, to_wire

pytestmark = pytest.mark.unit


class Color(Enum):
    RED = "red"


class Item(BaseModel):
    made_at: datetime = Field(alias="madeAt")


@dataclass
class Point:
    x: int


class Picture(BaseModel):
    name: str
    content: bytes
    item: Item


class Encoded(BaseModel):
    model_config = ConfigDict(ser_json_bytes="base64")

    content: bytes


@dataclass
class Chunk:
    content: bytes


ITEM = Item(madeAt=datetime(2026, 1, 2, tzinfo=UTC))
WIRE = {"madeAt": "2026-01-02T00:00:00Z"}
PICTURE = Picture(name="p", content=b"\xff", item=ITEM)
PICTURE_WIRE = {"name": "p", "content": b"\xff", "item": WIRE}


class TestToWire:
    @pytest.mark.parametrize("value", [None, "a", 1, 1.5, True, b"\xff", [1, "a"], {"a": [b"\xff"]}])
    def test_leaves_wire_values_alone(self, value: Any) -> None:
        assert to_wire(value) == value

    @pytest.mark.parametrize(
        ("value", "wire"),
        [
            (ITEM, WIRE),
            ([ITEM], [WIRE]),
            ({"a": {"b": ITEM}}, {"a": {"b": WIRE}}),
            ({"raw": b"\xff", "item": ITEM}, {"raw": b"\xff", "item": WIRE}),
            ({UUID(int=1): date(2026, 1, 2)}, {str(UUID(int=1)): "2026-01-02"}),
            ({"price": Decimal("1.10"), "color": Color.RED}, {"price": "1.10", "color": "red"}),
            (Point(1), {"x": 1}),
            (PICTURE, PICTURE_WIRE),
            ([{"a": PICTURE}], [{"a": PICTURE_WIRE}]),
            (Encoded(content=b"\xff"), {"content": "_w=="}),
            (Chunk(b"\xff"), {"content": b"\xff"}),
            ({1}, [1]),
        ],
    )
    def test_converts_the_rest_at_any_depth(self, value: Any, wire: Any) -> None:
        assert to_wire(value) == wire

    def test_a_tuple_at_the_top_stays_several_arguments(self) -> None:
        assert to_wire((ITEM, (1, 2))) == (WIRE, [1, 2])

    def test_refuses_what_has_no_json_form(self) -> None:
        with pytest.raises(PydanticSerializationError):
            to_wire({"a": object()})


class TestDumps:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ({"a": [1, "b", None]}, '{"a":[1,"b",null]}'),
            (float("nan"), "null"),
            ([1.5, (float("inf"), {"a": -float("inf")})], '[1.5,[null,{"a":null}]]'),
            ({float("nan"): 1}, '{"nan":1}'),
        ],
    )
    def test_has_null_for_what_json_cannot_express(self, value: Any, text: str) -> None:
        assert dumps(value) == text

    def test_refuses_what_has_no_json_form(self) -> None:
        with pytest.raises(TypeError):
            dumps(object())
