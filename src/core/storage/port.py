"""The port to the storage of files' contents; `minio_storage.py` is its adapter.

Browsers send contents to the storage and fetch them from it directly, by signed URLs.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

BATCH = 1000


@dataclass(frozen=True, slots=True)
class Part:
    """A part that was sent, as the storage's answer named it."""

    number: int
    etag: str


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A content that is there."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class OpenUpload:
    """An upload that was begun and neither completed nor aborted."""

    key: str
    id: str
    begun: datetime


class FileStorage(Protocol):
    """Contents by key, uploaded in parts.

    Every method but the two that sign raises `ServiceUnavailableError`, or what `as_unavailable` makes one of, when the
    server is away or slow.
    """

    async def prepare(self) -> None:
        """Make the place that everything is kept in, unless it is there."""

    async def check(self) -> None:
        """Return when the storage answers."""

    async def begin_upload(self, key: str) -> str:
        """Begin an upload, and return its id."""

    async def sign_parts(self, key: str, upload_id: str, sizes: Sequence[int], expires: timedelta) -> list[str]:
        """URLs to PUT the parts to, numbered from 1; each takes exactly its size in bytes."""

    async def complete_upload(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        """Make one object of the parts; the upload's URLs are dead from then on.

        Raises:
            NotFoundError: There is no such upload, or no longer.
            BadRequestError: A part is missing, or another than was sent.
        """

    async def abort_upload(self, key: str, upload_id: str) -> None:
        """Drop an upload with its parts; one that is gone already is no error."""

    async def find(self, key: str) -> StoredObject | None:
        """The object, or None."""

    async def open(self, key: str, offset: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """The content, or `length` bytes of it, in chunks; close it to free its connection before the end.

        Raises:
            NotFoundError: There is no such object.
        """

    async def sign_download(self, key: str, *, disposition: str, content_type: str, expires: timedelta) -> str:
        """A URL to GET the object from, answered with these headers."""

    async def remove(self, key: str) -> None:
        """Remove an object; one that is gone already is no error."""

    async def objects(self, prefix: str, after: str = "") -> Sequence[StoredObject]:
        """The first `BATCH` objects below a prefix, in the order of their keys, or the next after a key."""

    async def uploads(self, prefix: str) -> Sequence[OpenUpload]:
        """The first `BATCH` open uploads below a prefix."""
