"""Downloads through the API, for clients that cannot reach the storage."""

import hashlib
import socket

import httpx
import pytest

from src.core.resources import Resources
from tests.support.people import People, Person
from tests.support.served import Served
from tests.support.uploads import CODES, CONTENT, FILES, committed, uploaded
from tests.support.waiting import eventually

DIGITS = b"0123456789"
ETAG = f'"{hashlib.sha256(DIGITS).hexdigest()}"'


@pytest.fixture
async def owner(people: People) -> Person:
    return await people.create(*CODES)


async def get(client: httpx.AsyncClient, person: Person, file_id: str, **headers: str) -> httpx.Response:
    wanted = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.get(f"{FILES}/{file_id}/content", headers={**person.headers, **wanted})


@pytest.fixture
async def digits(client: httpx.AsyncClient, owner: Person) -> str:
    file = await uploaded(client, owner, DIGITS, contentType="text/html", filename="a.html")
    return str(file["id"])


class TestTheFullContent:
    async def test_comes_back_byte_identical(self, client: httpx.AsyncClient, owner: Person) -> None:
        file = await uploaded(client, owner, CONTENT)
        response = await get(client, owner, file["id"])
        assert (response.status_code, response.content == CONTENT) == (200, True)
        assert response.headers["content-length"] == str(len(CONTENT))

    async def test_has_a_type_and_cannot_run_in_a_browser(
        self, client: httpx.AsyncClient, owner: Person, digits: str
    ) -> None:
        headers = (await get(client, owner, digits)).headers
        assert headers["content-type"] == "application/octet-stream"
        assert headers["content-disposition"] == "attachment; filename=\"a.html\"; filename*=UTF-8''a.html"
        assert (headers["etag"], headers["accept-ranges"]) == (ETAG, "bytes")
        assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
        assert "default-src 'none'" in headers["content-security-policy"]


class TestKnownContent:
    @pytest.mark.parametrize("known", [ETAG, f"W/{ETAG}", f'"other", {ETAG}', "*"])
    async def test_is_not_sent_again(self, client: httpx.AsyncClient, owner: Person, digits: str, known: str) -> None:
        response = await get(client, owner, digits, If_None_Match=known)
        assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", ETAG)

    @pytest.mark.parametrize("known", ['"other"', ETAG.strip('"'), ""])
    async def test_that_differs_is_sent(
        self, client: httpx.AsyncClient, owner: Person, digits: str, known: str
    ) -> None:
        response = await get(client, owner, digits, If_None_Match=known)
        assert (response.status_code, response.content) == (200, DIGITS)


class TestHead:
    """The headers of the content; who may GET it may HEAD it."""

    async def test_has_the_headers_of_get(self, client: httpx.AsyncClient, owner: Person, digits: str) -> None:
        full = await get(client, owner, digits)
        response = await client.head(f"{FILES}/{digits}/content", headers={**owner.headers, "Range": "bytes=0-1"})
        assert (response.status_code, response.content, response.headers["content-length"]) == (200, b"", "10")
        varying = {"date", "x-request-id"}
        assert {*response.headers.items()} ^ {*full.headers.items()} <= {
            item for item in [*response.headers.items(), *full.headers.items()] if item[0] in varying
        }

    async def test_of_known_content_is_304(self, client: httpx.AsyncClient, owner: Person, digits: str) -> None:
        headers = {**owner.headers, "If-None-Match": ETAG}
        assert (await client.head(f"{FILES}/{digits}/content", headers=headers)).status_code == 304

    async def test_of_missing_content_is_404(
        self, client: httpx.AsyncClient, owner: Person, digits: str, resources: Resources
    ) -> None:
        await resources.storage.remove(f"files/{digits}")
        assert (await client.head(f"{FILES}/{digits}/content", headers=owner.headers)).status_code == 404

    async def test_is_guarded_as_get(self, client: httpx.AsyncClient, people: People, digits: str) -> None:
        stranger = await people.create()
        assert (await client.head(f"{FILES}/{digits}/content", headers=stranger.headers)).status_code == 403
        assert (await client.head(f"{FILES}/{digits}/content")).status_code == 401


class TestARange:
    @pytest.mark.parametrize(
        ("wanted", "content", "named"),
        [
            ("bytes=0-0", b"0", "bytes 0-0/10"),
            ("bytes=3-5", b"345", "bytes 3-5/10"),
            ("bytes=7-", b"789", "bytes 7-9/10"),
            ("bytes=-2", b"89", "bytes 8-9/10"),
            ("bytes=0-99", DIGITS, "bytes 0-9/10"),
        ],
    )
    async def test_is_206(
        self, client: httpx.AsyncClient, owner: Person, digits: str, wanted: str, content: bytes, named: str
    ) -> None:
        response = await get(client, owner, digits, Range=wanted)
        assert (response.status_code, response.content, response.headers["content-range"]) == (206, content, named)
        assert response.headers["content-length"] == str(len(content))

    @pytest.mark.parametrize("wanted", ["bytes=10-", "bytes=-0", "bytes=50-60"])
    async def test_beyond_the_end_is_416(
        self, client: httpx.AsyncClient, owner: Person, digits: str, wanted: str
    ) -> None:
        response = await get(client, owner, digits, Range=wanted)
        assert (response.status_code, response.json()["error"]) == (416, "request.range_not_satisfiable")
        assert response.headers["content-range"] == "bytes */10"

    @pytest.mark.parametrize("wanted", ["bytes=5-2", "bytes=1-2,4-5", "lines=1-2", "nonsense"])
    async def test_that_is_invalid_returns_the_full_content(
        self, client: httpx.AsyncClient, owner: Person, digits: str, wanted: str
    ) -> None:
        response = await get(client, owner, digits, Range=wanted)
        assert (response.status_code, response.content) == (200, DIGITS)

    @pytest.mark.parametrize(
        ("known", "status"), [(ETAG, 206), ('"another"', 200), ("Tue, 24 Nov 2026 08:00:00 GMT", 200)]
    )
    async def test_is_only_served_of_the_same_content(
        self, client: httpx.AsyncClient, owner: Person, digits: str, known: str, status: int
    ) -> None:
        assert (await get(client, owner, digits, Range="bytes=3-5", If_Range=known)).status_code == status


class TestRefusals:
    async def test_without_the_permission(self, client: httpx.AsyncClient, people: People, digits: str) -> None:
        other = await people.create(f"GET:{FILES}/{{fileId}}")
        assert (await get(client, other, digits)).status_code == 403

    async def test_of_a_content_missing_in_the_storage(
        self, client: httpx.AsyncClient, owner: Person, digits: str, resources: Resources
    ) -> None:
        await resources.storage.remove(f"files/{digits}")
        response = await get(client, owner, digits)
        assert (response.status_code, response.json()["error"]) == (404, "file.content_missing")


class TestAClientThatDisconnects:
    async def test_releases_the_connection_to_the_storage(
        self, served: Served, served_admin: Person, resources: Resources
    ) -> None:
        s3 = served.stores["s3"]
        # Larger than all buffers on the way, so that the server cannot finish sending.
        transport = httpx.AsyncHTTPTransport(socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)])
        async with (
            committed(resources, CONTENT * 2) as file,
            httpx.AsyncClient(transport=transport, base_url=served.client.base_url) as client,
        ):
            path = f"{FILES}/{file.id}/content"
            async with client.stream("GET", path, headers=served_admin.headers) as response:
                await anext(response.aiter_raw())
                reading = s3.connections
            await eventually(lambda: s3.connections != reading)
        assert s3.connections == reading - 1
