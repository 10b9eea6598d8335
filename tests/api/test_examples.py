"""Every operation, called with the examples of the OpenAPI document."""

from typing import Any

import httpx
import pytest

from src.main import rest
from src.utils.password import hash_password
from tests.support.login import encrypted
from tests.support.people import People, Person

DOCUMENT = rest.openapi()
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = {
    operation["operationId"]: (method, path, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}
# Examples that are meant to fail: their ids and tokens belong to nobody, and the old password is not the right one.
FAILING = {
    "refresh": "auth.unauthorized",
    "logout": "auth.unauthorized",
    "change_password": "auth.wrong_password",
    "delete_roles": "resource.not_found",
    "explain_permission": "resource.not_found",
    "renew_recovery_codes": "factors.none",
    "login_with_factor": "auth.invalid_ticket",
    "login_with_passkey": "auth.invalid_credentials",
    "reauthenticate": "auth.invalid_proof",
}
PASSWORDS = ("password", "oldPassword", "newPassword")


async def body_of(operation: dict[str, Any], client: httpx.AsyncClient) -> dict[str, Any]:
    """The arguments of the request for its body; passwords are encrypted, as by the page of Swagger UI."""
    if "requestBody" not in operation:
        return {}
    ((media_type, content),) = operation["requestBody"]["content"].items()
    example = dict(SCHEMAS[content["schema"]["$ref"].rpartition("/")[2]]["examples"][0])
    if media_type != "application/json":
        return {"data": example}
    for name in PASSWORDS:
        if name in example:
            secret = await encrypted(client, example[name])
            example |= {name: secret["password"], "kid": secret["kid"]}
    return {"json": example}


@pytest.fixture
async def user(people: People) -> None:
    """The user of the example of a login."""
    await people.user(username="admin", password_hash=hash_password("123456"))


class TestAnExample:
    @pytest.mark.usefixtures("user")
    @pytest.mark.parametrize("name", OPERATIONS)
    async def test_succeeds_or_is_meant_to_fail(self, client: httpx.AsyncClient, admin: Person, name: str) -> None:
        method, path, operation = OPERATIONS[name]
        examples = {
            place: {
                parameter["name"]: parameter["schema"]["examples"][0]
                for parameter in operation.get("parameters", ())
                if parameter["in"] == place
            }
            for place in ("path", "query", "header")
        }
        response = await client.request(
            method,
            path.format(**examples["path"]),
            params=examples["query"],
            headers=admin.headers | examples["header"],
            **await body_of(operation, client),
        )
        if response.is_success:
            assert name not in FAILING
        else:
            expected = "resource.not_found" if examples["path"] else FAILING[name]
            assert response.json()["error"] == expected, response.text
