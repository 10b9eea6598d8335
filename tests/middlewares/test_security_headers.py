import httpx
import pytest

PATHS = ["/livez", "/api/v1/notices", "/nothing", "/api/v1/auth/keys/public"]


class TestSecurityHeaders:
    @pytest.mark.parametrize("path", PATHS)
    async def test_browsers_may_not_guess_the_type(self, client: httpx.AsyncClient, path: str) -> None:
        assert (await client.get(path)).headers["X-Content-Type-Options"] == "nosniff"

    @pytest.mark.parametrize("path", PATHS)
    async def test_pages_may_not_frame_it(self, client: httpx.AsyncClient, path: str) -> None:
        assert "frame-ancestors 'none'" in (await client.get(path)).headers["Content-Security-Policy"]

    @pytest.mark.parametrize("path", [path for path in PATHS if path.startswith("/api")])
    async def test_responses_of_the_api_are_not_stored(self, client: httpx.AsyncClient, path: str) -> None:
        assert (await client.get(path)).headers["Cache-Control"] == "no-store"
