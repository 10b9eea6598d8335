"""Uploads as a browser makes them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx

from src.core.resources import Resources
from src.crud.file import FileCRUD
from src.models.file import File
from src.schemas.file import FileCreate, UploadedPart
from src.services.actor import OwnerScope
from src.services.upload import UploadService
from tests.support.people import Person

FILES = "/api/v1/files"
CODES = (
    f"POST:{FILES}", f"GET:{FILES}", f"POST:{FILES}/{{fileId}}/complete", f"GET:{FILES}/{{fileId}}",
    f"GET:{FILES}/{{fileId}}/content", f"DELETE:{FILES}/{{fileId}}",
)  # fmt: skip
CONTENT = bytes(range(256)) * 4096 * 12  # 12 MiB: two parts
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)

Parts = list[dict[str, Any]]


async def begin(client: httpx.AsyncClient, person: Person, content: bytes = CONTENT, **fields: Any) -> httpx.Response:
    """The response to `POST /files`."""
    body = {"filename": "a.bin", "contentType": "application/octet-stream", "sizeBytes": len(content), **fields}
    return await client.post(FILES, json=body, headers=person.headers)


async def send(plan: dict[str, Any], content: bytes) -> Parts:
    """PUT the parts, and return them for the completion."""
    size, parts = plan["partSizeBytes"], []
    async with httpx.AsyncClient() as browser:
        for part in plan["parts"]:
            start = (part["partNumber"] - 1) * size
            answer = await browser.put(part["url"], content=content[start : start + size], headers=part["headers"])
            parts.append({"partNumber": part["partNumber"], "etag": answer.raise_for_status().headers["etag"]})
    return parts


async def complete(
    client: httpx.AsyncClient, person: Person, file_id: str, parts: Sequence[dict[str, Any]]
) -> httpx.Response:
    """The response to `POST /files/{fileId}/complete`."""
    return await client.post(f"{FILES}/{file_id}/complete", json={"parts": parts}, headers=person.headers)


async def upload(client: httpx.AsyncClient, person: Person, content: bytes = CONTENT, **fields: Any) -> httpx.Response:
    """Begin, send and complete; returns the last response."""
    plan = (await begin(client, person, content, **fields)).json()["data"]
    return await complete(client, person, plan["id"], await send(plan, content))


async def uploaded(client: httpx.AsyncClient, person: Person, content: bytes, **fields: Any) -> dict[str, Any]:
    """A completed file, as in the response."""
    answer = await upload(client, person, content, **fields)
    file: dict[str, Any] = answer.raise_for_status().json()["data"]
    return file


EVERYBODY = OwnerScope(uuid4(), includes_all=True)


@asynccontextmanager
async def announced(resources: Resources, content: bytes) -> AsyncIterator[tuple[File, list[UploadedPart]]]:
    """A committed upload without an owner, with all parts sent; removed at the end."""
    async with resources.unit_of_work() as uow:
        data = FileCreate(filename="a.bin", content_type="application/octet-stream", size_bytes=len(content))
        plan = await UploadService(uow, resources).begin(data, owner_id=None)
    parts = await send(plan.model_dump(by_alias=True), content)
    async with resources.unit_of_work() as uow:
        file = await FileCRUD(uow.session).get(plan.id)
    try:
        yield file, [UploadedPart.model_validate(part) for part in parts]
    finally:
        async with resources.unit_of_work() as uow:
            await FileCRUD(uow.session).delete_many({"id": plan.id})
        await resources.storage.remove(file.key)


@asynccontextmanager
async def committed(resources: Resources, content: bytes) -> AsyncIterator[File]:
    """A completed file, committed, so that other processes can see it."""
    async with announced(resources, content) as (file, parts), resources.unit_of_work() as uow:
        yield await UploadService(uow, resources).complete(file.id, parts, EVERYBODY)
