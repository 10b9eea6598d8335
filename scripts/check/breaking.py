"""Makes every kind of breaking change in copies of the documents, and fails unless contract.py finds each of them."""

import copy
import json
import sys
from collections.abc import Callable
from typing import Any

from scripts.check.contract import Document, breaks, lost_errors
from src.manage.documents import ASYNCAPI, OPENAPI

Change = tuple[Callable[[Document], Any], str]


def schema(document: Document, name: str) -> Document:
    """A schema of the document."""
    found: Document = document["components"]["schemas"][name]
    return found


def operation(document: Document, method: str, path: str) -> Document:
    """An operation of the REST document."""
    found: Document = document["paths"][f"/api/v1/{path}"][method]
    return found


def parameter(document: Document, path: str, name: str) -> Document:
    """A parameter of a GET."""
    return next(each for each in operation(document, "get", path)["parameters"] if each["name"] == name)


def error_names(document: Document, response: str) -> list[str]:
    """The names of a shared response's errors."""
    content = document["components"]["responses"][response]["content"]["application/json"]
    names: list[str] = content["schema"]["allOf"][1]["properties"]["error"]["enum"]
    return names


NULLABLE = {"anyOf": [{"type": "string"}, {"type": "null"}]}
NUMBER = {"type": "integer"}

# Each in another place, so that Redocly compares all of them at once.
REST: list[Change] = [
    (lambda new: new["paths"].pop("/api/v1/auth/sessions/{sessionId}"), "Path `/api/v1/auth/sessions/{sessionId}`"),
    (lambda new: new["paths"]["/api/v1/roles"].pop("post"), "Operation `POST /api/v1/roles` was removed"),
    (lambda new: operation(new, "get", "roles").update(operationId="roles"), "'list_roles' to 'roles'"),
    (lambda new: operation(new, "get", "auth/keys/public").update(security=[{"BearerToken": []}]), "became required"),
    (lambda new: operation(new, "get", "users")["parameters"].remove(parameter(new, "users", "sort")), "`sort` query"),
    (lambda new: parameter(new, "roles", "keyword").update(required=True), "`keyword` query parameter became required"),
    (lambda new: parameter(new, "schedules", "page")["schema"].update(type="string"), "'integer' to 'string'"),
    (lambda new: parameter(new, "files", "pageSize")["schema"].update(maximum=10), "'<= 100' to '<= 10'"),
    (
        lambda new: parameter(new, "users", "isAdmin").update(schema={"type": "boolean"}),
        "'any' to 'boolean'",
    ),
    (lambda new: schema(new, "UserCreate")["properties"].pop("isAdmin"), "Property `isAdmin` of `UserCreate`"),
    (lambda new: schema(new, "UserCreate")["properties"].update(email=NUMBER), "Type of `email` narrowed"),
    (lambda new: schema(new, "UserCreate")["properties"]["name"].update(maxLength=10), "`maxLength` of `name`"),
    (lambda new: schema(new, "UserCreate")["required"].append("roles"), "`UserCreate` became required: `roles`"),
    (lambda new: schema(new, "UserResponse")["properties"].pop("email"), "Property `email` of `UserResponse`"),
    (lambda new: schema(new, "UserResponse")["properties"].update(status=NUMBER), "Type of `status` widened"),
    (lambda new: schema(new, "UserResponse")["properties"].update(name=NULLABLE), "Type of `name` widened"),
    (lambda new: schema(new, "UserResponse")["required"].remove("roles"), "no longer required: `roles`"),
    (lambda new: schema(new, "RunState")["enum"].append("LOST"), "`RunState` gained values: 'LOST'"),
    (lambda new: schema(new, "Total")["enum"].remove("none"), "`Total` lost values: 'none'"),
    (lambda new: operation(new, "get", "notices")["responses"].pop("403"), "Response `403` was removed"),
    (lambda new: operation(new, "get", "tasks")["responses"]["200"].pop("headers"), "headers of response `200`"),
    (lambda new: error_names(new, "RequestRateLimitedRequestThrottled").pop(), "Error `request.throttled` was removed"),
]
EVENTS: list[Change] = [
    (lambda new: new["channels"].update(renamed=new["channels"].pop("chat.leave")), "Channel `chat.leave`"),
    (lambda new: schema(new, "ChatReceived")["properties"].pop("user"), "Property `user` of `ChatReceived`"),
    (lambda new: schema(new, "ChatReceived")["properties"].update(text=NUMBER), "Type of `text` widened"),
    (lambda new: schema(new, "ChatReceived")["required"].remove("room"), "no longer required: `room`"),
    (lambda new: schema(new, "ChatHistoryQuery")["required"].append("limit"), "became required: `limit`"),
    (lambda new: schema(new, "TaskFinished")["properties"].pop("state"), "Property `state` of `TaskFinished`"),
    (
        lambda new: new["channels"]["notice.get"]["messages"]["ack"].update(payload={"type": "string"}),
        "notice.get: Type narrowed",
    ),
]
HARMLESS: list[Change] = [
    (lambda new: schema(new, "UserResponse")["properties"].update(age=NUMBER), "an added property of a response"),
    (lambda new: schema(new, "UserCreate")["properties"].update(age=NUMBER), "an optional property of a request"),
    (lambda new: schema(new, "Total")["enum"].append("rough"), "an added value of a parameter"),
    (lambda new: error_names(new, "AuthUnauthorized").append("auth.locked"), "an added error"),
    (lambda new: operation(new, "get", "users")["responses"].update({"429": {"description": "x"}}), "an added status"),
]


def compared(document: Document, changes: list[Change]) -> list[str]:
    """What contract.py finds in a copy with the changes."""
    new = copy.deepcopy(document)
    for change, _ in changes:
        change(new)
    return [*breaks(document, new), *lost_errors(document, new)]


def main() -> None:
    """Compare three pairs of documents."""
    rest, events = (json.loads(file.read_text()) for file in (OPENAPI, ASYNCAPI))
    for document, changes in ((rest, REST), (events, EVENTS)):
        found = compared(document, changes)
        missed = [words for _, words in changes if not any(words in each for each in found)]
        if missed:
            sys.exit("\n".join(["Found:", *found, "Not found:", *missed]))
        print(f"{len(changes)} kinds of breaking changes: all found.")
    found = compared(rest, HARMLESS)
    if found:
        sys.exit("\n".join(["Found in changes that break nobody:", *found]))
    print(f"{len(HARMLESS)} changes that break nobody: nothing found.")


if __name__ == "__main__":
    main()
