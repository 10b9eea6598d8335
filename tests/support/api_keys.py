"""API keys for tests, made as people make them."""

from typing import Any

import httpx

from tests.support.people import Person

PATH = "/api/v1/api-keys"
# The codes of an owner of keys.
OWN = (f"GET:{PATH}", f"POST:{PATH}", f"POST:{PATH}/{{keyId}}/rotate", f"DELETE:{PATH}/{{keyId}}")
MANAGE = "api_keys.manage"
NOTICES = "GET:/api/v1/notices"
ROLES = "POST:/api/v1/roles"


async def make_key(client: httpx.AsyncClient, maker: Person, *codes: str, **fields: Any) -> dict[str, Any]:
    """The data of a new key: `key`, `id` and the others."""
    body = {"name": "Test", "codes": list(codes), **fields}
    response = await client.post(PATH, json=body, headers=maker.headers)
    assert response.status_code == 201, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


def bearer(key: str) -> dict[str, str]:
    """The headers of a request with the key."""
    return {"Authorization": f"Bearer {key}"}


async def status(client: httpx.AsyncClient, key: str) -> int:
    """The status of a request that reads notices with the key."""
    return (await client.get("/api/v1/notices", headers=bearer(key))).status_code
