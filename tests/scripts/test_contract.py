"""A change of the contract is described in the changelog."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from scripts.check.contract import problem
from src.manage.documents import ASYNCAPI, OPENAPI

pytestmark = pytest.mark.unit

Change = Callable[[dict[str, Any]], Any]
REST = json.loads(OPENAPI.read_text())
EVENTS = json.loads(ASYNCAPI.read_text())


def changed(document: dict[str, Any], change: Change) -> tuple[dict[str, Any], dict[str, Any]]:
    new = copy.deepcopy(document)
    change(new)
    return document, new


def add_property(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["UserResponse"]["properties"]["age"] = {"type": "integer"}


BREAKING = [
    (REST, lambda new: new["components"]["schemas"]["UserResponse"]["properties"].pop("email"), "UserResponse.email"),
    (REST, lambda new: new["paths"]["/api/v1/users"].pop("get"), "GET /api/v1/users"),
    (REST, lambda new: new["components"]["schemas"]["UserCreate"]["required"].append("roles"), "UserCreate.roles"),
    (EVENTS, lambda new: new["channels"].update(renamed=new["channels"].pop("chat.send")), "chat.send"),
]


class TestAChange:
    def test_without_a_line_is_a_problem(self) -> None:
        assert "describe the change" in str(problem("x", *changed(REST, add_property), ""))

    def test_with_a_line_is_none(self) -> None:
        assert problem("x", *changed(REST, add_property), "+- Users have an age.") is None

    def test_of_prose_is_none(self) -> None:
        assert problem("x", *changed(REST, lambda new: new["info"].update(description="Other words.")), "") is None

    @pytest.mark.parametrize(("document", "change", "name"), BREAKING, ids=[name for _, _, name in BREAKING])
    def test_that_breaks_clients_needs_the_word(self, document: dict[str, Any], change: Change, name: str) -> None:
        pair = changed(document, change)
        assert name in str(problem("x", *pair, "+- Something changed."))
        assert problem("x", *pair, "+- BREAKING: something changed.") is None
