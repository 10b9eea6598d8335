"""The port to object storage; `minio_storage.py` is its adapter.

Browsers upload to the storage and download from it directly, by presigned URLs.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

# The most objects or uploads that one call lists.
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Part:
    """An uploaded part, with the ETag that the storage returned for it."""

    number: int
    etag: str


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A stored object; `size` in bytes."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class OpenUpload:
    """A multipart upload in progress."""

    key: str
    id: str
    begun: datetime


class FileStorage(Protocol):
    """Objects by key, uploaded in parts.

    While the server is down or slow, every method except `sign_parts` and `sign_download` raises
    `ServiceUnavailableError`, or an error that `as_unavailable` turns into it.
    """

    async def prepare(self) -> None:
        """Create the bucket if it does not exist."""

    async def check(self) -> None:
        """Return if the storage responds."""

    async def begin_upload(self, key: str) -> str:
        """Begin a multipart upload, and return its id."""

    async def sign_parts(self, key: str, upload_id: str, sizes: Sequence[int], expires: timedelta) -> list[str]:
        """Presigned URLs to PUT the parts to, in order; each accepts exactly its size in bytes."""

    async def sent_parts(self, key: str, upload_id: str) -> list[Part]:
        """The parts that were uploaded so far, by number.

        Raises:
            NotFoundError: The upload does not exist, or no longer.
        """

    async def put_part(self, key: str, upload_id: str, number: int, data: bytes) -> Part:
        """Upload a part from here; all but the last must have 5 MiB at least.

        Raises:
            NotFoundError: The upload does not exist, or no longer.
        """

    async def complete_upload(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        """Combine the parts into one object; the upload's URLs stop working.

        Raises:
            NotFoundError: The upload does not exist, or no longer.
            BadRequestError: A part is missing or differs from the uploaded one.
        """

    async def abort_upload(self, key: str, upload_id: str) -> None:
        """Delete an upload and its parts; does nothing if it does not exist."""

    async def find(self, key: str) -> StoredObject | None:
        """The object, or None if it does not exist."""

    async def open(self, key: str, offset: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """The content from `offset`, or `length` bytes of it, in chunks.

        Closing the generator before its end frees its connection.

        Raises:
            NotFoundError: The object does not exist.
        """

    async def sign_download(self, key: str, *, disposition: str, content_type: str, expires: timedelta) -> str:
        """A presigned URL to GET the object; the response has these headers."""

    async def remove(self, key: str) -> None:
        """Delete an object; does nothing if it does not exist."""

    async def objects(self, prefix: str, after: str = "") -> Sequence[StoredObject]:
        """Up to `BATCH` objects with a prefix, by key, those after the key `after`."""

    async def uploads(self, prefix: str) -> Sequence[OpenUpload]:
        """Up to `BATCH` uploads in progress whose key has a prefix."""
