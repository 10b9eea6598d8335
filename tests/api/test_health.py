import httpx

from tests.support.people import Person


class TestMetrics:
    async def test_requests_are_counted_by_template(self, client: httpx.AsyncClient, admin: Person) -> None:
        await client.get(f"/api/v1/notices/{admin.user.id}", headers=admin.headers)
        assert 'route="GET:/api/v1/notices/{noticeId}",status="404"' in (await client.get("/metrics")).text

    async def test_unknown_paths_share_one_series(self, client: httpx.AsyncClient) -> None:
        await client.get("/api/v1/unheard-of")
        assert "unheard-of" not in (await client.get("/metrics")).text

    async def test_they_are_in_the_format_of_prometheus(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/metrics")).headers["Content-Type"].startswith("text/plain; version=")


class TestLiveness:
    async def test_it_needs_no_token(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/livez")).json() == {"status": "ok"}
