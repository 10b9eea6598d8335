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
SCHEDULES = "POST:/api/v1/schedules"


async def make_key(client: httpx.AsyncClient, maker: Person, *codes: str, **fields: Any) -> dict[str, Any]:
    """The data of a new key: `key`, `id` and the others."""
    body = {"name": "Test", "codes": list(codes), **fields}
    response = await client.post(PATH, json=body, headers=maker.headers)
    assert response.status_code == 201, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def make_schedule(client: httpx.AsyncClient, key: str, task: str, **kwargs: Any) -> httpx.Response:
    """The response to a new schedule of the task, made with the key."""
    body = {"name": "Test", "task": task, "kwargs": kwargs, "kind": "interval", "every": 1, "period": "hours"}
    return await client.post("/api/v1/schedules", json=body, headers=bearer(key))


def bearer(key: str) -> dict[str, str]:
    """The headers of a request with the key."""
    return {"Authorization": f"Bearer {key}"}


async def status(client: httpx.AsyncClient, key: str) -> int:
    """The status of a request that reads notices with the key."""
    return (await client.get("/api/v1/notices", headers=bearer(key))).status_code
