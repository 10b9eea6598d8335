"""The e-mails that the mail server of dev.sh has kept: shown where a setting says so, to holders of its code."""

import os
from collections.abc import AsyncIterator
from copy import copy
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from scripts.local.smtp import CaughtMail, keep_in
from src.core.config import Settings, settings
from src.core.resources import Resources
from src.main import create_app, rest, server
from src.services.login_only import CAUGHT_EMAILS, requires_login
from tests.support.documented import documented_by
from tests.support.people import People, Person

PATH = "/api/v1/ops/caught-emails"


def keeping_in(directory: Path) -> Settings:
    """Settings with which e-mails are kept in a directory."""
    changed = copy(settings)
    changed.email = settings.email.model_copy(update={"caught_directory": directory})
    return changed


@pytest.fixture
def directory(tmp_path: Path, resources: Resources, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where e-mails are kept."""
    monkeypatch.setattr(resources, "settings", keeping_in(tmp_path / "mails"))
    return tmp_path / "mails"


@pytest.fixture(scope="module")
def showing() -> FastAPI:
    """An application with the route."""
    return create_app(keeping_in(Path("mails")), server)


@pytest.fixture
async def client(showing: FastAPI, directory: Path, people: People) -> AsyncIterator[httpx.AsyncClient]:
    hooks = {"response": [documented_by(showing)]}
    transport = httpx.ASGITransport(showing)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", event_hooks=hooks) as client:
        yield client


def keep(directory: Path, subject: str, text: str = "Text") -> None:
    message = EmailMessage()
    message["To"], message["Subject"] = "ada@example.com", subject
    message.set_content(text)
    keep_in(directory)(CaughtMail("a@example.com", ("ada@example.com",), bytes(message)))


async def test_are_listed_newest_first(client: httpx.AsyncClient, directory: Path, admin: Person) -> None:
    assert (await client.get(PATH, headers=admin.headers)).json()["data"] == []
    keep(directory, "First")
    keep(directory, "Second", "https://shop.example/#token=abc")
    (directory / "000003.eml").write_bytes(b"Content-Type: text/plain; charset=x-none\n\n\xed\xa0\x80")
    broken, second, first = (await client.get(PATH, headers=admin.headers)).json()["data"]
    assert second.pop("receivedAt").endswith("Z")
    shown = {"to": "ada@example.com", "subject": "Second", "text": "https://shop.example/#token=abc"}
    assert second == {"id": "2", **shown, "problem": None}
    assert (first["subject"], broken["problem"]) == ("First", "LookupError: unknown encoding: x-none")


@pytest.mark.parametrize(
    ("codes", "status"), [((), 403), (("GET:/api/v1/ops/overview",), 403), ((CAUGHT_EMAILS,), 200)]
)
async def test_need_their_permission(
    client: httpx.AsyncClient, people: People, codes: tuple[str, ...], status: int
) -> None:
    person = await people.create(*codes)
    assert (await client.get(PATH, headers=person.headers)).status_code == status
    assert (await client.get(PATH)).status_code == 401


def test_are_shown_to_no_key_and_to_nobody_who_acts_as_a_user() -> None:
    assert requires_login(CAUGHT_EMAILS)


async def test_are_absent_without_the_setting(showing: FastAPI, people: People) -> None:
    codes = [{route.code for route in app.state.registry.routes} for app in (showing, rest)]
    assert codes[0] - codes[1] == {CAUGHT_EMAILS}
    transport = httpx.ASGITransport(rest)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as other:
        person = await people.create(is_admin=True)
        assert (await other.get(PATH, headers=person.headers)).status_code == 404


async def test_cannot_be_asked_for_by_name(client: httpx.AsyncClient, directory: Path, admin: Person) -> None:
    keep(directory, "Kept")
    (directory.parent / "secret").write_text("secret")
    for name in ("1", "000001.eml", "..%2Fsecret", f"%2e%2e{os.sep}secret"):
        assert (await client.get(f"{PATH}/{name}", headers=admin.headers)).status_code == 404
    listed = await client.get(PATH, params={"name": "../secret", "directory": "/"}, headers=admin.headers)
    assert [each["subject"] for each in listed.json()["data"]] == ["Kept"]
