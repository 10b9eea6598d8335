"""A change of the contract is described in the changelog. scripts/check/breaking.py tries what Redocly finds."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from scripts.check import contract
from scripts.check.contract import breaks, lost_errors, problem
from src.manage.documents import OPENAPI

pytestmark = pytest.mark.unit

REST = json.loads(OPENAPI.read_text())
USERS = "#/paths/~1api~1v1~1users/get"


def changed(change: Callable[[dict[str, Any]], Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    new = copy.deepcopy(REST)
    change(new)
    return REST, new


def add_property(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["UserResponse"]["properties"]["age"] = {"type": "integer"}


def remove_response(document: dict[str, Any]) -> None:
    del document["paths"]["/api/v1/users"]["get"]["responses"]["403"]


def remove_shared_error(document: dict[str, Any]) -> None:
    response = document["components"]["responses"]["AuthPermissionDenied"]
    response["content"]["application/json"]["schema"]["allOf"][1]["properties"]["error"]["enum"] = []


def redocly_finds(monkeypatch: pytest.MonkeyPatch, path: str = USERS, rule: str = "", impact: str = "major") -> None:
    change = {"path": path, "verdicts": [{"ruleId": rule, "impact": impact, "message": "It broke."}]}
    monkeypatch.setattr(contract, "redocly_diff", lambda old, new: [change, change, {"path": path}])


class TestAChange:
    def test_without_a_line_is_a_problem(self) -> None:
        assert "describe the change" in str(problem("x", *changed(add_property), ""))

    def test_with_a_line_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        redocly_finds(monkeypatch, impact="minor")
        assert problem("x", *changed(add_property), "+- Users have an age.") is None

    def test_of_prose_is_none(self) -> None:
        assert problem("x", *changed(lambda new: new["info"].update(description="Other words.")), "") is None

    def test_that_breaks_clients_needs_the_word(self, monkeypatch: pytest.MonkeyPatch) -> None:
        redocly_finds(monkeypatch)
        pair = changed(add_property)
        assert "x breaks clients (get /api/v1/users: It broke.)" in str(problem("x", *pair, "+- Something changed."))
        assert problem("x", *pair, "+- BREAKING: something changed.") is None

    @pytest.mark.parametrize("change", [remove_response, remove_shared_error])
    def test_that_removes_an_error_breaks_clients(self, change: Callable[[dict[str, Any]], Any]) -> None:
        assert "get /api/v1/users: Error `auth.permission_denied` was removed." in lost_errors(*changed(change))

    def test_that_removes_an_operation_is_not_told_of_each_of_its_errors(self) -> None:
        assert not list(lost_errors(*changed(lambda new: new["paths"]["/api/v1/users"].pop("get"))))

    def test_that_adds_an_error_breaks_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        redocly_finds(monkeypatch, f"{USERS}/responses/409/content/x/properties/error", "enum-values-added")
        assert breaks({}, {}) == []

    @pytest.mark.parametrize(
        ("path", "place"),
        [
            (f"{USERS}/parameters/0", "get /api/v1/users"),
            ("#/paths/~1api~1v1~1users", "/api/v1/users"),
            ("#/channels/chat.send/messages/ack", "chat.send"),
        ],
    )
    def test_is_told_with_its_place(self, monkeypatch: pytest.MonkeyPatch, path: str, place: str) -> None:
        redocly_finds(monkeypatch, path)
        assert breaks({}, {}) == [f"{place}: It broke."]

    def test_that_cannot_be_compared_is_a_problem(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(contract, "REDOCLY", "./nothing")
        with pytest.raises(SystemExit, match=r"npx \./nothing cannot compare the documents:\n(?s:.*)npm error"):
            problem("x", *changed(add_property), "+- Users have an age.")
