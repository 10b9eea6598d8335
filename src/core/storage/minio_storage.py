import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from datetime import timedelta
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from typing_extensions import override

from src.core.config.files import S3Settings
from src.core.exceptions import NotFoundError
from src.core.storage.port import BATCH, FileStorage, OpenUpload, Part, StoredObject
from src.core.storage.presign import UploadSigner
from src.utils.date import utc_now

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

    from src.core.storage.minio_client import MinioClient

T = TypeVar("T")

CHUNK_BYTES = 256 * 1024
# If an object is fetched in another way than by our presigned URLs, browsers must not execute it.
_HARMLESS_HEADERS = {"Content-Type": "application/octet-stream", "Content-Disposition": "attachment"}


class MinioStorage(FileStorage):
    """Files on any S3 server, by the MinIO SDK.

    The SDK has no public methods for the steps of a multipart upload; those that begin with an underscore are listed in
    `tests/foreign/`.
    """

    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings
        self._bucket = settings.bucket
        self._client: MinioClient | None = None
        self._opening = asyncio.Lock()

    async def _run(self, call: "Callable[[MinioClient], T]") -> T:
        client = self._client or await self._open()
        return await client.run(call)

    async def _open(self) -> "MinioClient":
        async with self._opening:
            if self._client is None:
                self._client = await asyncio.to_thread(self._load)
        return self._client

    def _load(self) -> "MinioClient":
        # Imported at the first use: a process that is never asked for files does without the SDK.
        from src.core.storage.minio_client import MinioClient

        return MinioClient(self._settings)

    def close(self) -> None:
        """End the threads, and close the connections."""
        if self._client is not None:
            self._client.close()

    @override
    async def prepare(self) -> None:
        await self._run(lambda client: client.create_bucket(self._bucket))

    @override
    async def check(self) -> None:
        await self._run(lambda client: client.s3.bucket_exists(self._bucket))

    @override
    async def begin_upload(self, key: str) -> str:
        return await self._run(
            lambda client: client.s3._create_multipart_upload(self._bucket, key, {**_HARMLESS_HEADERS})
        )

    @override
    async def sign_parts(self, key: str, upload_id: str, sizes: Sequence[int], expires: timedelta) -> list[str]:
        settings = self._settings
        signer = UploadSigner(
            settings.access_key, settings.secret_key.get_secret_value(), settings.region, utc_now(), expires
        )

        def sign(client: "MinioClient") -> list[str]:
            # Only the address is of interest: for some servers the bucket is part of the host.
            address = client.signer.get_presigned_url("PUT", self._bucket, key).partition("?")[0]
            return [
                signer.sign_put(address, {"partNumber": str(number), "uploadId": upload_id}, size)
                for number, size in enumerate(sizes, 1)
            ]

        return await self._run(sign)

    @override
    async def sent_parts(self, key: str, upload_id: str) -> list[Part]:
        listed = await self._run(lambda client: client.s3._list_parts(self._bucket, key, upload_id))
        return [Part(part.part_number, part.etag) for part in listed.parts]

    @override
    async def put_part(self, key: str, upload_id: str, number: int, data: bytes) -> Part:
        etag = await self._run(lambda client: client.s3._upload_part(self._bucket, key, data, None, upload_id, number))
        return Part(number, etag)

    @override
    async def complete_upload(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        def complete(client: "MinioClient") -> None:
            from minio.datatypes import Part as MinioPart

            uploaded = [MinioPart(part.number, part.etag) for part in parts]
            client.s3._complete_multipart_upload(self._bucket, key, upload_id, uploaded)

        await self._run(complete)

    @override
    async def abort_upload(self, key: str, upload_id: str) -> None:
        try:
            await self._run(lambda client: client.s3._abort_multipart_upload(self._bucket, key, upload_id))
        except NotFoundError:
            return

    @override
    async def find(self, key: str) -> StoredObject | None:
        try:
            return _stored(await self._run(lambda client: client.s3.stat_object(self._bucket, key)))
        except NotFoundError:
            return None

    @override
    async def open(self, key: str, offset: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        response = await self._run(lambda client: client.s3.get_object(self._bucket, key, offset, length or 0))
        chunks = self._chunks(response)
        await anext(chunks)  # closing a generator that was never started would leave the connection open
        return chunks

    async def _chunks(self, response: "BaseHTTPResponse") -> AsyncGenerator[bytes, None]:
        # A response that is closed during a read returns its connection to the pool, unread, instead of closing it.
        lock = Lock()

        def read(_: object) -> bytes:
            with lock:
                return response.read(CHUNK_BYTES)

        def close() -> None:
            with lock:
                response.close()

        try:
            yield b""
            while chunk := await self._run(read):
                yield chunk
        finally:
            # In a thread, since it waits for a read that is still running. After the last chunk this does nothing.
            if self._client is not None:
                self._client.submit(close)

    @override
    async def sign_download(self, key: str, *, disposition: str, content_type: str, expires: timedelta) -> str:
        headers: dict[str, str | list[str] | tuple[str]] = {
            "response-content-disposition": disposition,
            "response-content-type": content_type,
        }
        return await self._run(lambda client: client.signer.presigned_get_object(self._bucket, key, expires, headers))

    @override
    async def remove(self, key: str) -> None:
        await self._run(lambda client: client.s3.remove_object(self._bucket, key))

    @override
    async def objects(self, prefix: str, after: str = "") -> Sequence[StoredObject]:
        def list_objects(client: "MinioClient") -> list[StoredObject]:
            found = client.s3.list_objects(self._bucket, prefix, recursive=True, start_after=after or None)
            return [_stored(item) for item in islice(found, BATCH)]

        return await self._run(list_objects)

    @override
    async def uploads(self, prefix: str) -> Sequence[OpenUpload]:
        def list_uploads(client: "MinioClient") -> list[OpenUpload]:
            # The prefix is compared here: some servers ignore it.
            found = (upload for upload in self._uploads(client) if upload.key.startswith(prefix))
            return list(islice(found, BATCH))

        return await self._run(list_uploads)

    def _uploads(self, client: "MinioClient") -> Iterator[OpenUpload]:
        marker = None
        while True:
            page = client.s3._list_multipart_uploads(self._bucket, key_marker=marker)
            for upload in page.uploads:
                assert upload.upload_id is not None  # noqa: S101 - every open upload has an id
                assert upload.initiated_time is not None  # noqa: S101 - and a start
                yield OpenUpload(upload.object_name, upload.upload_id, upload.initiated_time)
            marker = page.next_key_marker
            if not page.is_truncated or not marker:
                return


def _stored(item: Any) -> StoredObject:
    return StoredObject(item.object_name, item.size, item.last_modified)
