"""Files while the storage is away."""

import time

import httpx
import pytest

from src.core.resources import Resources
from tests.support.people import Person
from tests.support.served import IMPATIENT, Served
from tests.support.uploads import FILES, announced, begin, committed

pytestmark = pytest.mark.process

FAULTS = ["hang", "refuse", "reset"]
# Two exchanges, and what a busy machine adds.
BOUND = 2 * float(IMPATIENT["MINIO_TIMEOUT_SECONDS"]) + 1


def said(answer: httpx.Response) -> tuple[int, str, str]:
    return answer.status_code, answer.json()["error"], answer.headers["Retry-After"]


UNAVAILABLE = 503, "service.unavailable", "1"


@pytest.mark.parametrize("fault", FAULTS)
class TestWithoutTheStorage:
    async def test_beginning_is_503_in_time(self, served: Served, served_admin: Person, fault: str) -> None:
        getattr(served.stores["s3"], fault)()
        started = time.monotonic()
        answer = await begin(served.client, served_admin)
        assert (said(answer), time.monotonic() - started < BOUND) == (UNAVAILABLE, True)

    async def test_completing_is_503_in_time_and_can_be_repeated(
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
        assert (said(first), seconds < BOUND, second.status_code) == (UNAVAILABLE, True, 200)

    async def test_a_content_is_503_in_time(
        self, served: Served, served_admin: Person, resources: Resources, fault: str
    ) -> None:
        async with committed(resources, b"content") as file:
            getattr(served.stores["s3"], fault)()
            started = time.monotonic()
            answer = await served.client.get(f"{FILES}/{file.id}/content", headers=served_admin.headers)
        assert (said(answer), time.monotonic() - started < BOUND) == (UNAVAILABLE, True)

    async def test_files_can_be_seen_and_deleted(
        self, served: Served, served_admin: Person, resources: Resources, fault: str
    ) -> None:
        async with committed(resources, b"content") as file:
            getattr(served.stores["s3"], fault)()
            path = f"{FILES}/{file.id}"
            answers = [
                await served.client.request(method, path, headers=served_admin.headers) for method in ("GET", "DELETE")
            ]
            gone = await served.client.get(path, headers=served_admin.headers)
        assert ([answer.status_code for answer in answers], gone.status_code) == ([200, 200], 404)


class TestAStorageThatFailsMidway:
    async def test_ends_the_answer_short_of_its_length(
        self, served: Served, served_admin: Person, resources: Resources
    ) -> None:
        async with committed(resources, bytes(32 * 1024 * 1024)) as file:
            path = f"{FILES}/{file.id}/content"
            async with served.client.stream("GET", path, headers=served_admin.headers) as answer:
                chunks = answer.aiter_raw()
                await anext(chunks)
                served.stores["s3"].reset()
                with pytest.raises(httpx.RemoteProtocolError):
                    async for _ in chunks:
                        pass
        assert answer.status_code == 200
