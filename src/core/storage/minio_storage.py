from collections.abc import AsyncGenerator, Iterator, Sequence
from datetime import timedelta
from functools import partial
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from src.core.config.files import S3Settings
from src.core.exceptions import NotFoundError
from src.core.storage.minio_calls import MinioCalls
from src.core.storage.port import BATCH, FileStorage, OpenUpload, Part, StoredObject
from src.core.storage.presign import sign_put
from src.utils.date import utc_now

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

    from src.core.storage.minio_client import MinioClients

CHUNK_BYTES = 256 * 1024
# Whoever gets at an object by other ways than ours shall not have it run in a browser.
HARMLESS = {"Content-Type": "application/octet-stream", "Content-Disposition": "attachment"}


class MinioStorage(FileStorage):
    """Files on any S3, by the MinIO SDK.

    The SDK has multipart uploads only inside its own upload, so its underscored methods are called for them.
    """

    def __init__(self, settings: S3Settings) -> None:
        self._bucket = settings.bucket
        self._region = settings.region
        self._calls = MinioCalls(settings)

    def close(self) -> None:
        """Let threads and connections go."""
        self._calls.close()

    @override
    async def prepare(self) -> None:
        await self._calls.run(lambda clients: clients.create_bucket(self._bucket))

    @override
    async def check(self) -> None:
        await self._calls.run(lambda clients: clients.s3.bucket_exists(self._bucket))

    @override
    async def begin_upload(self, key: str) -> str:
        return await self._calls.run(
            lambda clients: clients.s3._create_multipart_upload(self._bucket, key, {**HARMLESS})
        )

    @override
    async def sign_parts(self, key: str, upload_id: str, sizes: Sequence[int], expires: timedelta) -> list[str]:
        return await self._calls.run(lambda clients: self._sign_parts(clients, key, upload_id, sizes, expires))

    def _sign_parts(
        self, clients: "MinioClients", key: str, upload_id: str, sizes: Sequence[int], expires: timedelta
    ) -> list[str]:
        build = partial(
            clients.signer._base_url.build,
            method="PUT",
            region=self._region,
            bucket_name=self._bucket,
            object_name=key,
        )
        provider = clients.signer._provider
        assert provider is not None  # noqa: S101 - the client was given keys
        sign = partial(sign_put, credentials=provider.retrieve(), region=self._region, now=utc_now(), expires=expires)
        return [
            sign(build(query_params={"partNumber": str(number), "uploadId": upload_id}), size)
            for number, size in enumerate(sizes, 1)
        ]

    @override
    async def complete_upload(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        def complete(clients: "MinioClients") -> None:
            from minio.datatypes import Part as MinioPart

            sent = [MinioPart(part.number, part.etag) for part in parts]
            clients.s3._complete_multipart_upload(self._bucket, key, upload_id, sent)

        await self._calls.run(complete)

    @override
    async def abort_upload(self, key: str, upload_id: str) -> None:
        try:
            await self._calls.run(lambda clients: clients.s3._abort_multipart_upload(self._bucket, key, upload_id))
        except NotFoundError:
            return

    @override
    async def find(self, key: str) -> StoredObject | None:
        try:
            found = await self._calls.run(lambda clients: clients.s3.stat_object(self._bucket, key))
        except NotFoundError:
            return None
        return _stored(found)

    @override
    async def open(self, key: str, offset: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        response = await self._calls.run(lambda clients: clients.s3.get_object(self._bucket, key, offset, length or 0))
        chunks = self._chunks(response)
        await anext(chunks)  # closing one that never began would leave the connection
        return chunks

    async def _chunks(self, response: "BaseHTTPResponse") -> AsyncGenerator[bytes, None]:
        # Closed within a read, a response hands its connection back to the pool, unread, instead of closing it.
        turn = Lock()

        def read(_: object) -> bytes:
            with turn:
                return response.read(CHUNK_BYTES)

        def close() -> None:
            with turn:
                response.close()

        try:
            yield b""
            while chunk := await self._calls.run(read):
                yield chunk
        finally:
            # In a thread: it waits for a read that still hangs. What was read to its end has gone back to the pool.
            self._calls.launch(close)

    @override
    async def sign_download(self, key: str, *, disposition: str, content_type: str, expires: timedelta) -> str:
        headers: dict[str, str | list[str] | tuple[str]] = {
            "response-content-disposition": disposition,
            "response-content-type": content_type,
        }
        return await self._calls.run(
            lambda clients: clients.signer.presigned_get_object(self._bucket, key, expires, headers)
        )

    @override
    async def remove(self, key: str) -> None:
        await self._calls.run(lambda clients: clients.s3.remove_object(self._bucket, key))

    @override
    async def objects(self, prefix: str, after: str = "") -> Sequence[StoredObject]:
        found = await self._calls.run(
            lambda clients: _first(
                clients.s3.list_objects(self._bucket, prefix, recursive=True, start_after=after or None)
            )
        )
        return [_stored(item) for item in found]

    @override
    async def uploads(self, prefix: str) -> Sequence[OpenUpload]:
        return await self._calls.run(
            lambda clients: _first(upload for upload in self._uploads(clients) if upload.key.startswith(prefix))
        )

    def _uploads(self, clients: "MinioClients") -> Iterator[OpenUpload]:
        """Of the whole bucket: not every server heeds a prefix here."""
        marker = None
        while True:
            page = clients.s3._list_multipart_uploads(self._bucket, key_marker=marker)
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
