import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from minio import Minio

from src.core.resources import Resources

T = TypeVar("T")


async def dump(resources: Resources, directory: Path) -> int:
    """Write the content of each object; returns their number. Uploads that are not completed are left out."""
    directory.mkdir()
    bucket = resources.settings.s3.bucket

    def copy(client: Minio) -> int:
        count = 0
        for count, item in enumerate(client.list_objects(bucket, recursive=True), 1):  # noqa: B007 - counted
            client.fget_object(bucket, str(item.object_name), str(directory / str(item.object_name)))
        return count

    return await _run(resources, copy)


async def is_empty(resources: Resources) -> bool:
    """Whether the bucket has no object, or does not exist."""
    bucket = resources.settings.s3.bucket

    def has_none(client: Minio) -> bool:
        return not client.bucket_exists(bucket) or next(client.list_objects(bucket, recursive=True), None) is None

    return await _run(resources, has_none)


async def load(resources: Resources, directory: Path) -> None:
    """Create the bucket, and upload all files, which browsers may not execute."""
    bucket = resources.settings.s3.bucket
    harmless: dict[str, Any] = {"Content-Disposition": "attachment"}

    def copy(client: Minio) -> None:
        for path in sorted(path for path in directory.rglob("*") if path.is_file()):
            key = path.relative_to(directory).as_posix()
            client.fput_object(bucket, key, str(path), "application/octet-stream", metadata=harmless)

    await resources.storage.prepare()
    await _run(resources, copy)


async def _run(resources: Resources, call: Callable[[Minio], T]) -> T:
    return await asyncio.to_thread(lambda: call(Minio(**resources.settings.s3.client_options())))
