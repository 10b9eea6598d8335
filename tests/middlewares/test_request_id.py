from uuid import UUID

import httpx
import pytest

ANYWHERE = ["/livez", "/api/v1/notices", "/nothing", "/docs"]


class TestRequestId:
    @pytest.mark.parametrize("path", ANYWHERE)
    async def test_every_response_has_one(self, client: httpx.AsyncClient, path: str) -> None:
        assert UUID((await client.get(path)).headers["X-Request-ID"]).version == 7

    async def test_no_two_are_equal(self, client: httpx.AsyncClient) -> None:
        assert len({(await client.get("/livez")).headers["X-Request-ID"] for _ in range(20)}) == 20

    @pytest.mark.parametrize("name", ["a" * 8, "a" * 128, "Az09._-x", "123e4567-e89b-12d3-a456-426614174000"])
    async def test_a_valid_one_is_kept(self, client: httpx.AsyncClient, name: str) -> None:
        assert (await client.get("/livez", headers={"X-Request-ID": name})).headers["X-Request-ID"] == name

    @pytest.mark.parametrize(
        "name", ["", "short", "a" * 129, "with space", "tab\there", "<script>", "a" * 8 + "\xe9", "a/../../b"]
    )
    async def test_an_invalid_one_is_replaced(self, client: httpx.AsyncClient, name: str) -> None:
        answer = await client.get("/livez", headers={b"X-Request-ID": name.encode("latin-1")})
        assert UUID(answer.headers["X-Request-ID"]).version == 7
