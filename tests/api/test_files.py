"""Files, uploaded and fetched as a browser does."""

import hashlib
from typing import Any

import httpx
import pytest

from src.core.database import Resources
from tests.people import People, Person

FILES = "/api/v1/files"
CODES = (
    f"POST:{FILES}", f"GET:{FILES}", f"POST:{FILES}/{{fileId}}/complete", f"GET:{FILES}/{{fileId}}",
    f"DELETE:{FILES}/{{fileId}}",
)  # fmt: skip
CONTENT = bytes(range(256)) * 4096 * 12  # 12 MiB: two parts


@pytest.fixture
async def owner(people: People) -> Person:
    return await people.create(*CODES)


async def begin(client: httpx.AsyncClient, person: Person, content: bytes = CONTENT, **fields: Any) -> httpx.Response:
    body = {"filename": "a.bin", "contentType": "application/octet-stream", "sizeBytes": len(content), **fields}
    return await client.post(FILES, json=body, headers=person.headers)


async def upload(client: httpx.AsyncClient, person: Person, content: bytes = CONTENT, **fields: Any) -> httpx.Response:
    plan = (await begin(client, person, content, **fields)).json()["data"]
    size, parts = plan["partSizeBytes"], []
    async with httpx.AsyncClient() as browser:
        for part in plan["parts"]:
            start = (part["partNumber"] - 1) * size
            answer = await browser.put(part["url"], content=content[start : start + size], headers=part["headers"])
            parts.append({"partNumber": part["partNumber"], "etag": answer.headers["etag"]})
    return await client.post(f"{FILES}/{plan['id']}/complete", json={"parts": parts}, headers=person.headers)


class TestUploading:
    async def test_comes_back_byte_identical(self, client: httpx.AsyncClient, owner: Person) -> None:
        file = (await upload(client, owner)).json()["data"]
        async with httpx.AsyncClient() as browser:
            answer = await browser.get(file["downloadUrl"])
        assert answer.content == CONTENT
        assert file["checksumSha256"] == hashlib.sha256(CONTENT).hexdigest()
        assert answer.headers["content-disposition"].startswith("attachment")

    async def test_with_another_checksum_is_refused_and_gone(self, client: httpx.AsyncClient, owner: Person) -> None:
        answer = await upload(client, owner, b"content", checksumSha256="0" * 64)
        assert (answer.status_code, answer.json()["error"]) == (409, "file.checksum_mismatch")

    async def test_with_parts_missing_is_refused(self, client: httpx.AsyncClient, owner: Person) -> None:
        plan = (await begin(client, owner)).json()["data"]
        body = {"parts": [{"partNumber": 1, "etag": "0" * 32}]}
        answer = await client.post(f"{FILES}/{plan['id']}/complete", json=body, headers=owner.headers)
        assert (answer.status_code, answer.json()["error"]) == (400, "file.wrong_parts")

    @pytest.mark.parametrize(
        "name", ["", "../a", "a\\b", "a\nb", "a\u202egnp.exe", "CON", "nul.txt", ".", "..", "a" * 256, "é" * 128]
    )
    async def test_under_a_malicious_name_is_refused(self, client: httpx.AsyncClient, owner: Person, name: str) -> None:
        assert (await begin(client, owner, filename=name)).status_code == 422

    async def test_of_too_much_is_refused(self, client: httpx.AsyncClient, owner: Person) -> None:
        assert (await begin(client, owner, sizeBytes=2**30 + 1)).status_code == 422


class TestOthers:
    async def test_do_not_find_the_file(self, client: httpx.AsyncClient, owner: Person, people: People) -> None:
        file = (await upload(client, owner, b"mine")).json()["data"]
        other = await people.create(*CODES)
        seen = await client.get(f"{FILES}/{file['id']}", headers=other.headers)
        deleted = await client.delete(f"{FILES}/{file['id']}", headers=other.headers)
        listed = (await client.get(FILES, headers=other.headers)).json()["data"]["total"]
        assert (seen.status_code, deleted.status_code, listed) == (404, 404, 0)


class TestDeleting:
    async def test_removes_the_content(self, client: httpx.AsyncClient, owner: Person, resources: Resources) -> None:
        file = (await upload(client, owner, b"mine")).json()["data"]
        await client.delete(f"{FILES}/{file['id']}", headers=owner.headers)
        assert await resources.storage.find(f"files/{file['id']}") is None
