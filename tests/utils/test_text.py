import json

import pytest

from src.utils.text import is_storable, to_storable

UNSTORABLE = ["\x00", "a\x00b", "\ud800", "\udfff\ud800"]


@pytest.mark.parametrize("text", UNSTORABLE)
def test_unstorable_text_is_replaced(text: str) -> None:
    assert (is_storable(text), is_storable(to_storable(text))) == (False, True)


@pytest.mark.parametrize("text", ["", "plain", "é🔑", "\U0010ffff"])
def test_other_text_stays(text: str) -> None:
    assert (is_storable(text), to_storable(text)) == (True, text)


def test_it_is_replaced_at_any_depth() -> None:
    value = to_storable({"a\x00": ["b\ud800", ("c\x00",)], "n": 1})
    assert is_storable(json.dumps(value, ensure_ascii=False))
    assert value["n"] == 1
