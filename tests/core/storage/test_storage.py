"""The file storage on a real S3 server, with the requests of a browser."""

import asyncio
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from src.core.config.files import S3Settings
from src.core.exceptions import BadRequestError, NotFoundError
from src.core.resources import Resources
from src.core.storage.minio_storage import MinioStorage
from src.core.storage.port import FileStorage, Part

CONTENT = bytes(range(256)) * 4096 * 6  # one part of 5 MiB, and 1 MiB
SIZES = [5 * 1024 * 1024, 1024 * 1024]
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
async def storage(resources: Resources) -> FileStorage:
    return resources.storage


@pytest.fixture
def key() -> str:
    return f"files/{uuid4()}"


async def send(url: str, content: bytes) -> httpx.Response:
    async with httpx.AsyncClient() as browser:
        return await browser.put(url, content=content)


async def upload(storage: FileStorage, key: str, content: bytes = b"content") -> None:
    upload_id = await storage.begin_upload(key)
    (url,) = await storage.sign_parts(key, upload_id, [len(content)], HOUR)
    etag = (await send(url, content)).headers["etag"].strip('"')
    await storage.complete_upload(key, upload_id, [Part(1, etag)])


async def read(storage: FileStorage, key: str, offset: int = 0, length: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in await storage.open(key, offset, length)])


class TestUploading:
    async def test_in_parts_gives_the_same_bytes(self, storage: FileStorage, key: str) -> None:
        upload_id = await storage.begin_upload(key)
        urls = await storage.sign_parts(key, upload_id, SIZES, HOUR)
        pieces = CONTENT[: SIZES[0]], CONTENT[SIZES[0] :]
        answers = [await send(url, piece) for url, piece in zip(urls, pieces, strict=True)]
        parts = [Part(number, answer.headers["etag"].strip('"')) for number, answer in enumerate(answers, 1)]
        await storage.complete_upload(key, upload_id, parts)
        assert await read(storage, key) == CONTENT

    @pytest.mark.parametrize("content", [b"four", b"sixsix"])
    async def test_of_another_length_than_signed_is_refused(
        self, storage: FileStorage, key: str, content: bytes
    ) -> None:
        (url,) = await storage.sign_parts(key, await storage.begin_upload(key), [5], HOUR)
        assert (await send(url, content)).status_code == 403

    async def test_by_a_tampered_url_is_refused(self, storage: FileStorage, key: str) -> None:
        (url,) = await storage.sign_parts(key, await storage.begin_upload(key), [5], HOUR)
        assert (await send(url.replace("partNumber=1", "partNumber=2"), b"fives")).status_code == 403

    @pytest.mark.slow
    async def test_by_an_expired_url_is_refused(self, storage: FileStorage, key: str) -> None:
        (url,) = await storage.sign_parts(key, await storage.begin_upload(key), [5], timedelta(seconds=1))
        await asyncio.sleep(2.1)  # the signature's clock counts whole seconds, and is the server's
        assert (await send(url, b"fives")).status_code == 403

    async def test_with_a_wrong_etag_is_not_completed(self, storage: FileStorage, key: str) -> None:
        upload_id = await storage.begin_upload(key)
        with pytest.raises(BadRequestError):
            await storage.complete_upload(key, upload_id, [Part(1, "0" * 32)])

    async def test_is_closed_once_completed(self, storage: FileStorage, key: str) -> None:
        upload_id = await storage.begin_upload(key)
        (url,) = await storage.sign_parts(key, upload_id, [5], HOUR)
        etag = (await send(url, b"fives")).headers["etag"].strip('"')
        await storage.complete_upload(key, upload_id, [Part(1, etag)])
        assert ((await send(url, b"other")).status_code, await read(storage, key)) == (404, b"fives")

    async def test_that_was_aborted_cannot_be_completed(self, storage: FileStorage, key: str) -> None:
        upload_id = await storage.begin_upload(key)
        await storage.abort_upload(key, upload_id)
        await storage.abort_upload(key, upload_id)
        with pytest.raises(NotFoundError):
            await storage.complete_upload(key, upload_id, [Part(1, "0" * 32)])


class TestReading:
    async def test_a_range(self, storage: FileStorage, key: str) -> None:
        await upload(storage, key, b"0123456789")
        assert await read(storage, key, 3, 4) == b"3456"

    async def test_that_is_closed_before_it_begins_frees_its_connection(
        self, storage: MinioStorage, key: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await upload(storage, key)
        closed = asyncio.Event()
        monkeypatch.setattr(storage._client, "submit", lambda _: closed.set())
        await (await storage.open(key)).aclose()
        assert closed.is_set()

    async def test_a_missing_object(self, storage: FileStorage, key: str) -> None:
        assert await storage.find(key) is None
        with pytest.raises(NotFoundError):
            await storage.open(key)

    async def test_by_a_presigned_url_has_the_chosen_headers(self, storage: FileStorage, key: str) -> None:
        await upload(storage, key)
        disposition = 'attachment; filename="a.txt"'
        url = await storage.sign_download(key, disposition=disposition, content_type="text/plain", expires=HOUR)
        async with httpx.AsyncClient() as browser:
            answer = await browser.get(url)
        assert (answer.content, answer.headers["content-disposition"]) == (b"content", disposition)


class TestListing:
    async def test_shows_objects_until_they_are_removed(self, storage: FileStorage, key: str) -> None:
        await upload(storage, key)
        before = [item.key for item in await storage.objects(key)]
        await storage.remove(key)
        await storage.remove(key)
        assert (before, await storage.objects(key)) == ([key], [])

    async def test_continues_after_a_key(self, storage: FileStorage, key: str) -> None:
        for name in "abc":
            await upload(storage, f"{key}/{name}")
        assert [item.key for item in await storage.objects(key, f"{key}/a")] == [f"{key}/b", f"{key}/c"]

    async def test_shows_open_uploads(self, storage: FileStorage, key: str) -> None:
        upload_id = await storage.begin_upload(key)
        assert [item.id for item in await storage.uploads(key)] == [upload_id]


class TestThePublicEndpoint:
    async def test_is_in_the_urls_for_browsers(self, resources: Resources, key: str) -> None:
        settings = S3Settings.model_validate(
            {**resources.settings.s3.model_dump(by_alias=True), "MINIO_PUBLIC_ENDPOINT": "https://files.example.com"}
        )
        storage = MinioStorage(settings)
        (url,) = await storage.sign_parts(key, "upload", [5], HOUR)
        storage.close()
        assert urlsplit(url)[:2] == ("https", "files.example.com")
