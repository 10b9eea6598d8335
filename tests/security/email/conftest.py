"""The application with e-mail, and a mail server on the loopback address that keeps what it is sent."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from copy import copy
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from scripts.local.smtp import CaughtMail, MailCatcher
from src.core.config import Settings, settings
from src.core.effects import TaskCall
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.main import create_app, server
from src.queues.app import app as celery
from tests.support.documented import documented_by
from tests.support.people import USER_AGENT

Deliver = Callable[[], Awaitable[list[CaughtMail]]]

FORGOT, RESET = "/api/v1/auth/password/forgot", "/api/v1/auth/password/reset"
EMAIL, SEND, VERIFY = "/api/v1/auth/email", "/api/v1/auth/email/verification", "/api/v1/auth/email/verify"
INVITE, ACCEPT = "/api/v1/users/invitations", "/api/v1/auth/invitations/accept"


@pytest.fixture(scope="session")
async def session_catcher() -> AsyncIterator[tuple[MailCatcher, int]]:
    catcher = MailCatcher()
    async with await catcher.start() as listener:
        yield catcher, listener.sockets[0].getsockname()[1]


@pytest.fixture(scope="session")
def email_settings(session_catcher: tuple[MailCatcher, int]) -> Settings:
    with_email = copy(settings)
    update = {
        "smtp_url": SecretStr(f"smtp://127.0.0.1:{session_catcher[1]}"),
        "sender": "Shop <noreply@example.com>",
        "link_url": "https://shop.example",
    }
    with_email.email = settings.email.model_copy(update=update)
    with_email.auth = settings.auth.model_copy(update={"registration_enabled": True})
    with_email.email.check(is_local=False)
    return with_email


@pytest.fixture(scope="session")
def email_app(email_settings: Settings) -> FastAPI:
    return create_app(email_settings, server)


@pytest.fixture
async def client(
    email_app: FastAPI,
    email_settings: Settings,
    uow: UnitOfWork,
    resources: Resources,
    sent: list[TaskCall],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client with an address of its own; what its requests send waits for `deliver`."""
    monkeypatch.setattr(resources, "settings", email_settings)
    transport = httpx.ASGITransport(email_app, client=(f"test-{uuid4().hex}", 1))
    hooks = {"response": [documented_by(email_app)]}
    headers = {"User-Agent": USER_AGENT}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers=headers, event_hooks=hooks
    ) as client:
        yield client


@pytest.fixture
def catcher(session_catcher: tuple[MailCatcher, int]) -> MailCatcher:
    session_catcher[0].mails.clear()
    session_catcher[0].replies.clear()
    return session_catcher[0]


@pytest.fixture
def deliver(client: httpx.AsyncClient, catcher: MailCatcher, sent: list[TaskCall]) -> Deliver:
    """Runs the tasks that were sent, as a worker does, and returns the e-mails that arrived."""
    celery.autodiscover_tasks(["src.queues.tasks"], force=True)  # also of features that are off here

    async def run() -> list[CaughtMail]:
        calls, sent[:] = list(sent), []
        before = len(catcher.mails)
        for call in calls:
            await celery.tasks[call.name](**json.loads(json.dumps(call.kwargs)))
        return catcher.mails[before:]

    return run


def token_of(mail: CaughtMail) -> str:
    """The token of the link, the same in the text and in the HTML."""
    (in_text,), (in_html,) = (set(re.findall(r"#token=([\w-]+)", part)) for part in (mail.text, mail.html))
    assert in_text == in_html
    return str(in_text)
