from collections.abc import AsyncGenerator, Iterator, Sequence
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any

from minio import Minio
from minio.datatypes import Part as MinioPart
from typing_extensions import override
from urllib3 import BaseHTTPResponse

from src.core.config_stores import S3Settings
from src.core.exceptions import NotFoundError
from src.core.minio_calls import MinioCalls
from src.core.presign import sign_put
from src.core.storage import BATCH, FileStorage, OpenUpload, Part, StoredObject
from src.utils.date import utc_now

CHUNK_BYTES = 256 * 1024
# Whoever gets at an object by other ways than ours shall not have it run in a browser.
HARMLESS = {"Content-Type": "application/octet-stream", "Content-Disposition": "attachment"}


class MinioStorage(FileStorage):
    """Files on any S3, by the MinIO SDK.

    The SDK has multipart uploads only inside its own upload, so its underscored methods are called for them.
    """

    def __init__(self, client: Minio, settings: S3Settings) -> None:
        self._client = client
        self._bucket = settings.bucket
        self._region = settings.region
        # Signs what browsers use; a host is part of what is signed. Never connects.
        self._signer = Minio(**settings.client_options(public=True))
        self._calls = MinioCalls(settings.timeout_seconds)

    def close(self) -> None:
        """Let the threads go."""
        self._calls.close()

    @override
    async def begin_upload(self, key: str) -> str:
        return await self._calls.run(self._client._create_multipart_upload, self._bucket, key, {**HARMLESS})

    @override
    async def sign_parts(self, key: str, upload_id: str, sizes: Sequence[int], expires: timedelta) -> list[str]:
        return await self._calls.run(self._sign_parts, key, upload_id, sizes, expires)

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
        await self._calls.run(self._client._complete_multipart_upload, self._bucket, key, upload_id, sent)

    @override
    async def abort_upload(self, key: str, upload_id: str) -> None:
        try:
            await self._calls.run(self._client._abort_multipart_upload, self._bucket, key, upload_id)
        except NotFoundError:
            return

    @override
    async def find(self, key: str) -> StoredObject | None:
        try:
            found = await self._calls.run(self._client.stat_object, self._bucket, key)
        except NotFoundError:
            return None
        return _stored(found)

    @override
    async def open(self, key: str, offset: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        response = await self._calls.run(self._client.get_object, self._bucket, key, offset, length or 0)
        chunks = self._chunks(response)
        await anext(chunks)  # closing one that never began would leave the connection
        return chunks

    async def _chunks(self, response: BaseHTTPResponse) -> AsyncGenerator[bytes, None]:
        try:
            yield b""
            while chunk := await self._calls.run(response.read, CHUNK_BYTES):
                yield chunk
        finally:
            # In a thread: it waits for a read that still hangs. What was read to its end has gone back to the pool.
            self._calls.launch(response.close)

    @override
    async def sign_download(self, key: str, *, disposition: str, content_type: str, expires: timedelta) -> str:
        headers: dict[str, str | list[str] | tuple[str]] = {
            "response-content-disposition": disposition,
            "response-content-type": content_type,
        }
        return self._signer.presigned_get_object(self._bucket, key, expires, headers)

    @override
    async def remove(self, key: str) -> None:
        await self._calls.run(self._client.remove_object, self._bucket, key)

    @override
    async def objects(self, prefix: str, after: str = "") -> Sequence[StoredObject]:
        found = self._client.list_objects(self._bucket, prefix, recursive=True, start_after=after or None)
        return [_stored(item) for item in await self._calls.run(_first, found)]

    @override
    async def uploads(self, prefix: str) -> Sequence[OpenUpload]:
        return await self._calls.run(_first, (upload for upload in self._uploads() if upload.key.startswith(prefix)))

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


def _first(items: Iterator[Any]) -> list[Any]:
    return list(islice(items, BATCH))


def _stored(item: Any) -> StoredObject:
    return StoredObject(item.object_name, item.size, item.last_modified)
