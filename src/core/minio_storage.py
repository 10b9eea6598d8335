import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from minio import Minio
from minio.datatypes import Part as MinioPart
from minio.error import S3Error, ServerError
from typing_extensions import override
from urllib3 import BaseHTTPResponse

from src.core.config_stores import S3Settings
from src.core.exceptions import BadRequestError, NotFoundError, ServiceUnavailableError
from src.core.presign import sign_put
from src.core.storage import FileStorage, OpenUpload, Part, StoredObject
from src.utils.date import utc_now

T = TypeVar("T")

THREADS = 8
CHUNK_BYTES = 256 * 1024
BATCH = 1000
GONE = {"NoSuchKey", "NoSuchUpload"}
WRONG_PARTS = {"InvalidPart", "InvalidPartOrder", "EntityTooSmall"}
# Whoever gets at an object by other ways than ours shall not have it run in a browser.
HARMLESS = {"Content-Type": "application/octet-stream", "Content-Disposition": "attachment"}


class MinioStorage(FileStorage):
    """Files on any S3, by the MinIO SDK, whose calls block: in threads of their own.

    The SDK has multipart uploads only inside its own upload, so its underscored methods are called for them.
    """

    def __init__(self, client: Minio, settings: S3Settings) -> None:
        self._client = client
        self._bucket = settings.bucket
        self._region = settings.region
        # Signs what browsers use; a host is part of what is signed. Never connects.
        self._signer = Minio(**settings.client_options(public=True))
        # A call is one exchange with the server, at most two when the connection was stale.
        self._patience = 2 * settings.timeout_seconds
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="s3")

    def close(self) -> None:
        """Let the threads go."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    @override
    async def begin_upload(self, key: str) -> str:
        return await self._run(self._client._create_multipart_upload, self._bucket, key, {**HARMLESS})

    @override
    async def sign_parts(self, key: str, upload_id: str, sizes: Sequence[int], expires: timedelta) -> list[str]:
        return await self._run(self._sign_parts, key, upload_id, sizes, expires)

    def _sign_parts(self, key: str, upload_id: str, sizes: Sequence[int], expires: timedelta) -> list[str]:
        build = partial(
            self._signer._base_url.build,
            method="PUT",
            region=self._region,
            bucket_name=self._bucket,
            object_name=key,
        )
        provider = self._signer._provider
        assert provider is not None  # noqa: S101 - the client was given keys
        sign = partial(sign_put, credentials=provider.retrieve(), region=self._region, now=utc_now(), expires=expires)
        return [
            sign(build(query_params={"partNumber": str(number), "uploadId": upload_id}), size)
            for number, size in enumerate(sizes, 1)
        ]

    @override
    async def complete_upload(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        sent = [MinioPart(part.number, part.etag) for part in parts]
        await self._run(self._client._complete_multipart_upload, self._bucket, key, upload_id, sent)

    @override
    async def abort_upload(self, key: str, upload_id: str) -> None:
        try:
            await self._run(self._client._abort_multipart_upload, self._bucket, key, upload_id)
        except NotFoundError:
            return

    @override
    async def find(self, key: str) -> StoredObject | None:
        try:
            found = await self._run(self._client.stat_object, self._bucket, key)
        except NotFoundError:
            return None
        return _stored(found)

    @override
    async def open(self, key: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        response = await self._run(self._client.get_object, self._bucket, key, offset, length or 0)
        return self._chunks(response)

    async def _chunks(self, response: BaseHTTPResponse) -> AsyncIterator[bytes]:
        try:
            while chunk := await self._run(response.read, CHUNK_BYTES):
                yield chunk
        finally:
            response.close()
            response.release_conn()

    @override
    async def sign_download(self, key: str, *, disposition: str, content_type: str, expires: timedelta) -> str:
        headers: dict[str, str | list[str] | tuple[str]] = {
            "response-content-disposition": disposition,
            "response-content-type": content_type,
        }
        return self._signer.presigned_get_object(self._bucket, key, expires, headers)

    @override
    async def remove(self, key: str) -> None:
        await self._run(self._client.remove_object, self._bucket, key)

    @override
    async def objects(self, prefix: str) -> AsyncIterator[Sequence[StoredObject]]:
        found = iter(self._client.list_objects(self._bucket, prefix, recursive=True))
        while batch := await self._run(_take, found):
            yield [_stored(item) for item in batch]

    @override
    async def uploads(self, prefix: str) -> AsyncIterator[Sequence[OpenUpload]]:
        found = (upload for upload in self._uploads() if upload.key.startswith(prefix))
        while batch := await self._run(_take, found):
            yield batch

    def _uploads(self) -> Iterator[OpenUpload]:
        """Of the whole bucket: not every server heeds a prefix here."""
        marker = None
        while True:
            page = self._client._list_multipart_uploads(self._bucket, key_marker=marker)
            for upload in page.uploads:
                assert upload.upload_id is not None  # noqa: S101 - an open upload has one
                assert upload.initiated_time is not None  # noqa: S101 - and was begun at some time
                yield OpenUpload(upload.object_name, upload.upload_id, upload.initiated_time)
            marker = page.next_key_marker
            if not page.is_truncated or not marker:
                return

    async def _run(self, function: Callable[..., T], *args: Any) -> T:
        """Call the SDK in a thread, and translate its errors."""
        future = self._executor.submit(function, *args)
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.wrap_future(future)
        except S3Error as error:
            raise _translated(error) or error from error
        except ServerError as error:
            raise ServiceUnavailableError from error


def _take(items: Iterator[Any]) -> list[Any]:
    return list(islice(items, BATCH))


def _stored(item: Any) -> StoredObject:
    return StoredObject(item.object_name, item.size, item.last_modified)


def _translated(error: S3Error) -> Exception | None:
    if error.code in GONE:
        return NotFoundError()
    if error.code in WRONG_PARTS:
        return BadRequestError("A part is missing, or another than was sent.", error="file.wrong_parts")
    return ServiceUnavailableError() if error.response.status >= 500 else None
