"""Files while the storage is down."""

import time
from collections.abc import AsyncIterator

import httpx
import pytest

from src.core.resources import Resources
from tests.support.people import Person
from tests.support.served import IMPATIENT, Served, serve
from tests.support.uploads import FILES, announced, begin, committed
from tests.support.waiting import patience

pytestmark = pytest.mark.process

FAULTS = ["hang", "refuse", "reset"]
# Two timeouts, and a margin for busy machines.
BOUND = 2 * float(IMPATIENT["MINIO_TIMEOUT_SECONDS"]) + 1


@pytest.fixture(scope="module")
async def served_process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with serve(tmp_path_factory.mktemp("files") / "output", **IMPATIENT) as served:
        yield served


def said(response: httpx.Response) -> tuple[int, str, str]:
    return response.status_code, response.json()["error"], response.headers["Retry-After"]


UNAVAILABLE = 503, "service.unavailable", "1"


@pytest.mark.parametrize("fault", FAULTS)
class TestWithoutTheStorage:
    async def test_beginning_an_upload_is_503_within_the_timeout(
        self, served: Served, served_admin: Person, fault: str
    ) -> None:
        getattr(served.stores["s3"], fault)()
        started = time.monotonic()
        response = await begin(served.client, served_admin)
        assert (said(response), time.monotonic() - started < BOUND * patience()) == (UNAVAILABLE, True)

    async def test_completing_is_503_within_the_timeout_and_can_be_retried(
        self, served: Served, served_admin: Person, resources: Resources, fault: str
    ) -> None:
        async with announced(resources, b"content") as (file, parts):
            path, body = f"{FILES}/{file.id}/complete", {"parts": [part.model_dump(by_alias=True) for part in parts]}
            getattr(served.stores["s3"], fault)()
            started = time.monotonic()
            first = await served.client.post(path, json=body, headers=served_admin.headers)
            seconds = time.monotonic() - started
            await served.stores["s3"].heal()
            second = await served.client.post(path, json=body, headers=served_admin.headers)
        assert (said(first), seconds < BOUND * patience(), second.status_code) == (UNAVAILABLE, True, 200)

    async def test_a_download_is_503_within_the_timeout(
        self, served: Served, served_admin: Person, resources: Resources, fault: str
    ) -> None:
        async with committed(resources, b"content") as file:
            getattr(served.stores["s3"], fault)()
            started = time.monotonic()
            response = await served.client.get(f"{FILES}/{file.id}/content", headers=served_admin.headers)
        assert (said(response), time.monotonic() - started < BOUND * patience()) == (UNAVAILABLE, True)

    async def test_files_can_be_listed_and_deleted(
        self, served: Served, served_admin: Person, resources: Resources, fault: str
    ) -> None:
        async with committed(resources, b"content") as file:
            getattr(served.stores["s3"], fault)()
            path = f"{FILES}/{file.id}"
            responses = [
                await served.client.request(method, path, headers=served_admin.headers) for method in ("GET", "DELETE")
            ]
            gone = await served.client.get(path, headers=served_admin.headers)
        assert ([response.status_code for response in responses], gone.status_code) == ([200, 200], 404)


class TestAStorageThatFailsMidway:
    async def test_truncates_the_response(self, served: Served, served_admin: Person, resources: Resources) -> None:
        async with committed(resources, bytes(32 * 1024 * 1024)) as file:
            path = f"{FILES}/{file.id}/content"
            async with served.client.stream("GET", path, headers=served_admin.headers) as response:
                chunks = response.aiter_raw()
                await anext(chunks)
                served.stores["s3"].reset()
                with pytest.raises(httpx.RemoteProtocolError):
                    async for _ in chunks:
                        pass
        assert response.status_code == 200
