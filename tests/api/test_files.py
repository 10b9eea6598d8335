"""Uploads and downloads as a browser does them, and every documented error."""

import hashlib
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from src.core.config.files import FileSettings
from src.core.resources import Resources
from src.core.storage.port import Part
from src.core.unit_of_work import UnitOfWork
from src.crud.file import FileCRUD
from src.models.file import File
from src.utils.date import utc_now
from tests.support.people import People, Person
from tests.support.uploads import CODES, CONTENT, FILES, PNG, begin, complete, send, upload, uploaded

ONE_PART = [{"partNumber": 1, "etag": "0" * 32}]


@pytest.fixture
async def owner(people: People) -> Person:
    return await people.create(*CODES)


@pytest.fixture
def two_at_once(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources.settings, "files", FileSettings(FILE_OPEN_UPLOADS=2))


@pytest.fixture
def limits(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"image/*": 1000, "image/png": 2000, "text/plain": 10}
    monkeypatch.setattr(resources.settings, "files", FileSettings(FILE_LIMITS=limits))


def said(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]


async def row(uow: UnitOfWork, file_id: str) -> File:
    return await FileCRUD(uow.session).get(UUID(file_id))


async def exists(client: httpx.AsyncClient, person: Person, file_id: str) -> bool:
    return (await client.get(f"{FILES}/{file_id}", headers=person.headers)).status_code == 200


async def details(client: httpx.AsyncClient, person: Person, file_id: str) -> dict[str, Any]:
    data: dict[str, Any] = (await client.get(f"{FILES}/{file_id}", headers=person.headers)).json()["data"]
    return data


@pytest.mark.usefixtures("two_at_once")
class TestPendingUploads:
    async def test_are_limited(self, client: httpx.AsyncClient, owner: Person) -> None:
        begun = [(await begin(client, owner)).status_code for _ in range(2)]
        refused = await begin(client, owner)
        assert (begun, said(refused)) == ([201, 201], (409, "file.too_many_uploads"))
        assert refused.json()["data"] == {"limit": 2}

    async def test_of_others_do_not_count(self, client: httpx.AsyncClient, owner: Person, people: People) -> None:
        for _ in range(2):
            await begin(client, owner)
        assert (await begin(client, await people.create(*CODES))).status_code == 201

    async def test_do_not_count_once_completed_or_deleted(self, client: httpx.AsyncClient, owner: Person) -> None:
        await uploaded(client, owner, b"content")
        plan = (await begin(client, owner)).json()["data"]
        await client.delete(f"{FILES}/{plan['id']}", headers=owner.headers)
        assert [(await begin(client, owner)).status_code for _ in range(3)] == [201, 201, 409]


class TestUploading:
    async def test_comes_back_byte_identical(self, client: httpx.AsyncClient, owner: Person) -> None:
        file = await uploaded(client, owner, CONTENT)
        async with httpx.AsyncClient() as browser:
            response = await browser.get(file["downloadUrl"])
        assert response.content == CONTENT
        assert file["checksumSha256"] == hashlib.sha256(CONTENT).hexdigest()

    async def test_with_its_checksum_is_accepted(self, client: httpx.AsyncClient, owner: Person) -> None:
        checksum = hashlib.sha256(b"content").hexdigest()
        assert (await upload(client, owner, b"content", checksumSha256=checksum.upper())).status_code == 200

    async def test_is_invisible_to_others_until_completed(
        self, client: httpx.AsyncClient, owner: Person, admin: Person
    ) -> None:
        plan = (await begin(client, owner)).json()["data"]
        listed = (await client.get(FILES, headers=owner.headers)).json()["data"]["total"]
        assert (await exists(client, admin, plan["id"]), listed) == (False, 0)

    async def test_can_be_completed_again(self, client: httpx.AsyncClient, owner: Person) -> None:
        plan = (await begin(client, owner, b"content")).json()["data"]
        parts = await send(plan, b"content")
        first = await complete(client, owner, plan["id"], parts)
        second = await complete(client, owner, plan["id"], parts)
        assert (first.status_code, second.status_code) == (200, 200)
        assert first.json()["data"]["checksumSha256"] == second.json()["data"]["checksumSha256"]

    async def test_can_be_completed_after_an_attempt_with_wrong_parts(
        self, client: httpx.AsyncClient, owner: Person
    ) -> None:
        plan = (await begin(client, owner, b"content")).json()["data"]
        parts = await send(plan, b"content")
        await complete(client, owner, plan["id"], ONE_PART)
        assert (await complete(client, owner, plan["id"], parts)).status_code == 200

    async def test_can_be_completed_after_an_interrupted_completion(
        self, client: httpx.AsyncClient, owner: Person, resources: Resources, uow: UnitOfWork
    ) -> None:
        plan = (await begin(client, owner, b"content")).json()["data"]
        parts = await send(plan, b"content")
        file = await row(uow, plan["id"])
        await resources.storage.complete_upload(file.key, file.upload_id, [Part(1, parts[0]["etag"].strip('"'))])
        assert (await complete(client, owner, plan["id"], parts)).status_code == 200

    async def test_with_a_wrong_checksum_is_refused_and_deleted(
        self, client: httpx.AsyncClient, owner: Person, resources: Resources
    ) -> None:
        plan = (await begin(client, owner, b"content", checksumSha256="0" * 64)).json()["data"]
        parts = await send(plan, b"content")
        assert said(await complete(client, owner, plan["id"], parts)) == (409, "file.checksum_mismatch")
        assert said(await complete(client, owner, plan["id"], parts)) == (404, "resource.not_found")
        assert await resources.storage.find(f"files/{plan['id']}") is None

    @pytest.mark.parametrize(
        ("claimed", "content"),
        [
            ("image/png", b"\xff\xd8\xff\xe0 a photo"),
            ("image/png", b"<!DOCTYPE html><script>alert(1)</script>"),
            ("image/jpeg", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
            ("text/plain", b"<html><script>alert(1)</script></html>"),
            ("application/pdf", b"MZ\x90\x00 a program"),
        ],
    )
    async def test_of_a_wrong_type_is_refused_and_deleted(
        self, client: httpx.AsyncClient, owner: Person, resources: Resources, claimed: str, content: bytes
    ) -> None:
        plan = (await begin(client, owner, content, contentType=claimed)).json()["data"]
        response = await complete(client, owner, plan["id"], await send(plan, content))
        assert said(response) == (409, "file.type_mismatch")
        assert await resources.storage.find(f"files/{plan['id']}") is None

    async def test_of_a_wrong_size_is_refused_and_deleted(
        self, client: httpx.AsyncClient, owner: Person, resources: Resources, uow: UnitOfWork
    ) -> None:
        plan = (await begin(client, owner, b"four")).json()["data"]
        file = await row(uow, plan["id"])
        # This needs the storage's keys: the signed URLs only accept the declared length.
        urls = await resources.storage.sign_parts(file.key, file.upload_id, [6], timedelta(minutes=1))
        parts = await send({**plan, "parts": [{"partNumber": 1, "url": urls[0], "headers": {}}]}, b"sixsix"[:6])
        assert said(await complete(client, owner, plan["id"], parts)) == (409, "file.size_mismatch")
        assert await resources.storage.find(file.key) is None

    @pytest.mark.parametrize(
        "change",
        [
            lambda parts: parts[:1],
            lambda parts: [parts[0], parts[0]],
            lambda parts: [parts[0], {**parts[1], "partNumber": 3}],
            lambda parts: [parts[0], {**parts[1], "etag": "0" * 32}],
            lambda parts: [{**parts[0], "etag": parts[1]["etag"]}, {**parts[1], "etag": parts[0]["etag"]}],
        ],
        ids=["one is left out", "one twice", "one too high", "another etag", "swapped"],
    )
    async def test_with_wrong_parts_is_refused(self, client: httpx.AsyncClient, owner: Person, change: Any) -> None:
        plan = (await begin(client, owner)).json()["data"]
        parts = await send(plan, CONTENT)
        assert said(await complete(client, owner, plan["id"], change(parts))) == (400, "file.wrong_parts")

    async def test_with_a_part_that_was_never_sent_is_refused(self, client: httpx.AsyncClient, owner: Person) -> None:
        plan = (await begin(client, owner, b"content")).json()["data"]
        assert said(await complete(client, owner, plan["id"], ONE_PART)) == (400, "file.wrong_parts")

    async def test_after_its_expiry_is_refused(self, client: httpx.AsyncClient, owner: Person, uow: UnitOfWork) -> None:
        plan = (await begin(client, owner, b"content")).json()["data"]
        parts = await send(plan, b"content")
        files = FileCRUD(uow.session)
        await files.update(await row(uow, plan["id"]), {"expires_at": utc_now()})
        assert said(await complete(client, owner, plan["id"], parts)) == (409, "file.upload_expired")

    async def test_that_the_storage_has_aborted_is_refused(
        self, client: httpx.AsyncClient, owner: Person, resources: Resources, uow: UnitOfWork
    ) -> None:
        plan = (await begin(client, owner, b"content")).json()["data"]
        parts = await send(plan, b"content")
        file = await row(uow, plan["id"])
        await resources.storage.abort_upload(file.key, file.upload_id)
        assert said(await complete(client, owner, plan["id"], parts)) == (409, "file.upload_expired")

    async def test_while_it_is_being_completed_is_refused(
        self, client: httpx.AsyncClient, owner: Person, uow: UnitOfWork
    ) -> None:
        plan = (await begin(client, owner, b"content")).json()["data"]
        parts = await send(plan, b"content")
        files = FileCRUD(uow.session)
        await files.update(await row(uow, plan["id"]), {"leased_until": utc_now() + timedelta(minutes=1)})
        response = await complete(client, owner, plan["id"], parts)
        assert (said(response), response.headers["Retry-After"]) == ((409, "file.being_completed"), "1")


class TestResuming:
    """What a page needs that was reloaded during an upload."""

    async def test_sends_what_is_missing_to_new_urls(self, client: httpx.AsyncClient, owner: Person) -> None:
        plan = (await begin(client, owner)).json()["data"]
        second = {**plan, "parts": plan["parts"][1:]}
        (sent,) = await send(second, CONTENT)
        file = await details(client, owner, plan["id"])
        again = file["upload"]
        assert (file["downloadUrl"], again["sent"]) == (None, [{**sent, "etag": sent["etag"].strip('"')}])
        assert {name: again[name] for name in ("id", "partSizeBytes")} == {
            name: plan[name] for name in ("id", "partSizeBytes")
        }
        parts = [*again["sent"], *await send({**again, "parts": again["parts"][:1]}, CONTENT)]
        assert (await complete(client, owner, plan["id"], parts)).status_code == 200
        assert (await details(client, owner, plan["id"]))["upload"] is None

    async def test_keeps_the_size_of_parts(
        self, client: httpx.AsyncClient, owner: Person, resources: Resources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plan = (await begin(client, owner)).json()["data"]
        monkeypatch.setattr(resources.settings, "files", FileSettings(FILE_PART_BYTES=6 * 1024**2))
        again = (await details(client, owner, plan["id"]))["upload"]
        assert again["partSizeBytes"] == plan["partSizeBytes"]
        assert again["sent"] == []

    async def test_is_refused_while_it_is_being_completed(
        self, client: httpx.AsyncClient, owner: Person, uow: UnitOfWork
    ) -> None:
        plan = (await begin(client, owner)).json()["data"]
        await FileCRUD(uow.session).update_many({"id": plan["id"]}, {"leased_until": utc_now() + timedelta(minutes=1)})
        response = await client.get(f"{FILES}/{plan['id']}", headers=owner.headers)
        assert said(response) == (409, "file.being_completed")

    async def test_ends_with_its_expiry(self, client: httpx.AsyncClient, owner: Person, uow: UnitOfWork) -> None:
        plan = (await begin(client, owner)).json()["data"]
        await FileCRUD(uow.session).update_many({"id": plan["id"]}, {"expires_at": utc_now()})
        assert not await exists(client, owner, plan["id"])

    async def test_of_an_upload_that_the_storage_has_aborted_is_refused(
        self, client: httpx.AsyncClient, owner: Person, resources: Resources, uow: UnitOfWork
    ) -> None:
        plan = (await begin(client, owner)).json()["data"]
        file = await row(uow, plan["id"])
        await resources.storage.abort_upload(file.key, file.upload_id)
        assert not await exists(client, owner, plan["id"])


class TestBeginning:
    @pytest.mark.parametrize(
        "name",
        [
            "", " ", " a", "../a", "..\\a", "/etc/passwd", "a/b", "C:\\a", "a\x00b", "a\nb", "a\x7fb", "a\u2028b",
            "\ud800", "a\u202egnp.exe", "a\u2066b", "a\u200fb", "CON", "nul.txt", "lpt1", ".", "..", "a.",
            "a" * 256, "é" * 128,
        ],
    )  # fmt: skip
    async def test_a_malicious_name_is_refused(self, client: httpx.AsyncClient, owner: Person, name: str) -> None:
        body = {"filename": name, "contentType": "text/plain", "sizeBytes": 1}
        response = await client.post(
            FILES, content=_json(body), headers={**owner.headers, "Content-Type": "application/json"}
        )
        assert said(response) == (422, "request.validation")
        assert [field["field"] for field in response.json()["data"]] == ["filename"]

    @pytest.mark.parametrize("name", ["a", "Größe.txt", "données 2026 (1).tar.gz", "报告.pdf", "🎉.png", "a" * 255])
    async def test_a_valid_name_is_kept(self, client: httpx.AsyncClient, owner: Person, name: str) -> None:
        assert (await uploaded(client, owner, b"content", filename=name))["filename"] == name

    @pytest.mark.parametrize("kind", ["", "text", "text/", "/plain", "text/plain\n", "text/plain; charset=x", "*/*"])
    async def test_a_malformed_type_is_refused(self, client: httpx.AsyncClient, owner: Person, kind: str) -> None:
        response = await begin(client, owner, b"content", contentType=kind)
        assert (said(response), response.json()["data"][0]["field"]) == ((422, "request.validation"), "contentType")

    @pytest.mark.usefixtures("limits")
    async def test_a_type_that_is_not_allowed_is_refused(self, client: httpx.AsyncClient, owner: Person) -> None:
        response = await begin(client, owner, b"content", contentType="text/html")
        assert (said(response), response.json()["data"][0]["field"]) == ((422, "request.validation"), "contentType")

    @pytest.mark.usefixtures("limits")
    @pytest.mark.parametrize(
        ("kind", "size", "status"),
        [("image/gif", 1000, 201), ("image/gif", 1001, 422), ("image/png", 2000, 201), ("text/plain", 11, 422)],
    )
    async def test_the_most_specific_limit_applies(
        self, client: httpx.AsyncClient, owner: Person, kind: str, size: int, status: int
    ) -> None:
        assert (await begin(client, owner, contentType=kind, sizeBytes=size)).status_code == status

    @pytest.mark.parametrize("size", [0, -1, 2**30 + 1, 2**70])
    async def test_an_impossible_size_is_refused(self, client: httpx.AsyncClient, owner: Person, size: int) -> None:
        response = await begin(client, owner, sizeBytes=size)
        assert (said(response), response.json()["data"][0]["field"]) == ((422, "request.validation"), "sizeBytes")


class TestTheUrls:
    async def test_accept_no_other_length(self, client: httpx.AsyncClient, owner: Person) -> None:
        plan = (await begin(client, owner, b"four")).json()["data"]
        async with httpx.AsyncClient() as browser:
            response = await browser.put(plan["parts"][0]["url"], content=b"more than four")
        assert response.status_code == 403

    async def test_of_a_download_cannot_be_tampered_with(self, client: httpx.AsyncClient, owner: Person) -> None:
        mine = await uploaded(client, owner, b"mine")
        other = await uploaded(client, owner, b"another")
        url = mine["downloadUrl"].replace(mine["id"], other["id"])
        as_page = mine["downloadUrl"].replace("octet-stream", "html")
        async with httpx.AsyncClient() as browser:
            assert {(await browser.get(tampered)).status_code for tampered in (url, as_page)} == {403}

    @pytest.mark.parametrize(
        ("kind", "content", "served"),
        [
            ("image/png", PNG, "image/png"),
            ("text/html", b"<html>", "application/octet-stream"),
            ("image/svg+xml", b"<svg/>", "application/octet-stream"),
        ],
    )
    async def test_of_a_download_prevent_execution_in_a_browser(
        self, client: httpx.AsyncClient, owner: Person, kind: str, content: bytes, served: str
    ) -> None:
        file = await uploaded(client, owner, content, contentType=kind, filename='a"ö.html')
        async with httpx.AsyncClient() as browser:
            headers = (await browser.get(file["downloadUrl"])).headers
        assert (headers["content-type"], headers["x-content-type-options"]) == (served, "nosniff")
        assert headers["content-disposition"] == "attachment; filename=\"a__.html\"; filename*=UTF-8''a%22%C3%B6.html"


class TestOthers:
    async def test_do_not_find_the_file(self, client: httpx.AsyncClient, owner: Person, people: People) -> None:
        file = await uploaded(client, owner, b"mine")
        other = await people.create(*CODES)
        path = f"{FILES}/{file['id']}"
        responses = [
            await client.get(path, headers=other.headers),
            await client.get(f"{path}/content", headers=other.headers),
            await client.delete(path, headers=other.headers),
            await complete(client, other, file["id"], ONE_PART),
        ]
        assert {said(response) for response in responses} == {(404, "resource.not_found")}
        assert (await client.get(FILES, headers=other.headers)).json()["data"]["total"] == 0
        assert await exists(client, owner, file["id"])

    async def test_see_it_if_they_are_administrators(
        self, client: httpx.AsyncClient, owner: Person, admin: Person
    ) -> None:
        file = await uploaded(client, owner, b"mine")
        assert await exists(client, admin, file["id"])


class TestDeleting:
    async def test_removes_row_and_content(
        self, client: httpx.AsyncClient, owner: Person, resources: Resources, uow: UnitOfWork
    ) -> None:
        file = await uploaded(client, owner, b"mine")
        await client.delete(f"{FILES}/{file['id']}", headers=owner.headers)
        assert await resources.storage.find(f"files/{file['id']}") is None
        assert await FileCRUD(uow.session).count({"id": UUID(file["id"])}) == 0

    async def test_cancels_an_upload(self, client: httpx.AsyncClient, owner: Person, resources: Resources) -> None:
        plan = (await begin(client, owner, b"mine")).json()["data"]
        await client.delete(f"{FILES}/{plan['id']}", headers=owner.headers)
        assert await resources.storage.uploads(f"files/{plan['id']}") == []

    async def test_leaves_a_file_that_is_being_completed_to_the_sweep(
        self, client: httpx.AsyncClient, owner: Person, resources: Resources, uow: UnitOfWork
    ) -> None:
        plan = (await begin(client, owner, b"mine")).json()["data"]
        files = FileCRUD(uow.session)
        await files.update(await row(uow, plan["id"]), {"leased_until": utc_now() + timedelta(minutes=1)})
        await client.delete(f"{FILES}/{plan['id']}", headers=owner.headers)
        assert len(await resources.storage.uploads(f"files/{plan['id']}")) == 1


def _json(body: dict[str, Any]) -> bytes:
    """JSON with ASCII escapes, so that lone surrogates can be sent."""
    return json.dumps(body).encode()
