import re
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import event
from sqlmodel import col, func, select

from scripts.local.smtp import MailCatcher
from src.core.effects import TaskCall
from src.core.email.smtp import EmailOutcomeUnknownError, EmailRejectedError
from src.core.exceptions import ServiceUnavailableError, TooManyRequestsError
from src.core.resources import Resources
from src.core.security.throttle import LoginClient
from src.core.unit_of_work import UnitOfWork
from src.models.email_link import EmailLink
from src.models.task_run import TaskRun
from src.models.user import User
from tests.security.email.conftest import FORGOT, RESET, Deliver, token_of
from tests.support.login import encrypted, log_in
from tests.support.outbox import audit_entries
from tests.support.people import People

NEW = "a new and long enough one"


async def forget(client: httpx.AsyncClient, deliver: Deliver, email: str, **headers: str) -> list[str]:
    """The tokens that arrive."""
    assert (await client.post(FORGOT, json={"email": email}, headers=headers)).status_code == 200
    return [token_of(mail) for mail in await deliver()]


async def reset(client: httpx.AsyncClient, token: str, password: str = NEW) -> httpx.Response:
    return await client.post(RESET, json={"token": token, **await encrypted(client, password)})


class TestTheLink:
    async def test_sets_a_new_password(self, client: httpx.AsyncClient, deliver: Deliver, people: People) -> None:
        user = await people.user()
        (token,) = await forget(client, deliver, user.email.upper())
        assert (await reset(client, token)).status_code == 200
        assert (await log_in(client, user.username, NEW)).status_code == 200
        assert (await log_in(client, user.username)).status_code == 401

    async def test_leads_to_a_page_of_the_frontend(
        self, client: httpx.AsyncClient, deliver: Deliver, people: People
    ) -> None:
        user = await people.user()
        await client.post(FORGOT, json={"email": user.email})
        (mail,) = await deliver()
        assert f"https://shop.example/reset-password#token={token_of(mail)}\n" in mail.text
        assert mail.message["To"] == user.email
        assert mail.message["From"] == "Shop <noreply@example.com>"
        assert user.username in mail.text

    async def test_ends_all_sessions(self, client: httpx.AsyncClient, deliver: Deliver, people: People) -> None:
        person = await people.create(must_change_password=True)
        await reset(client, (await forget(client, deliver, person.user.email))[0])
        assert (await client.get("/api/v1/auth/user/info", headers=person.headers)).status_code == 401

    async def test_confirms_the_address_and_tells_the_owner(
        self, client: httpx.AsyncClient, deliver: Deliver, people: People, uow: UnitOfWork
    ) -> None:
        user = await people.user(must_change_password=True)
        await reset(client, (await forget(client, deliver, user.email))[0])
        stored = (await uow.session.exec(select(User).where(User.id == user.id))).one()
        await uow.session.refresh(stored)
        assert (stored.email_verified_at is not None, stored.must_change_password) == (True, False)
        assert [mail.message["Subject"] for mail in await deliver()] == ["Your password was changed"]

    async def test_lets_an_owner_in_who_was_locked_out(
        self, client: httpx.AsyncClient, deliver: Deliver, people: People, resources: Resources
    ) -> None:
        user = await people.user()
        for number in range(10):
            await resources.throttle.fail(user.username_key, LoginClient(f"stranger {number} of {user.id}"))
        assert (await log_in(client, user.username)).status_code == 429
        await reset(client, (await forget(client, deliver, user.email))[0])
        assert (await log_in(client, user.username, NEW)).status_code == 200

    async def test_gives_nobody_further_codes_to_guess(
        self, client: httpx.AsyncClient, deliver: Deliver, people: People, resources: Resources
    ) -> None:
        user, throttle = await people.user(), resources.throttle
        for _ in range(resources.settings.auth.code_failures_per_day):
            await throttle.admit_code(user.username_key, LoginClient(f"a stranger {uuid4().hex}"))
        await reset(client, (await forget(client, deliver, user.email))[0])
        with pytest.raises(TooManyRequestsError):
            await throttle.admit_code(user.username_key, LoginClient(f"a stranger {uuid4().hex}"))

    async def test_survives_a_weak_password(self, client: httpx.AsyncClient, deliver: Deliver, people: People) -> None:
        (token,) = await forget(client, deliver, (await people.user()).email)
        assert (await reset(client, token, "short")).status_code == 422
        assert (await reset(client, token)).status_code == 200


class TestUnknownAddresses:
    @pytest.mark.parametrize("fields", [None, {"status": False}, {"email_pending": True}], ids=str)
    async def test_get_the_same_response_and_no_mail(
        self, client: httpx.AsyncClient, deliver: Deliver, people: People, fields: dict[str, bool] | None
    ) -> None:
        known = await people.user()
        email = "nobody@example.com" if fields is None else (await people.user(**fields)).email
        responses = [await client.post(FORGOT, json={"email": address}) for address in (known.email, email)]
        bodies = [{**response.json(), "ts": 0} for response in responses]
        assert bodies[0] == bodies[1]
        assert responses[0].headers.keys() == responses[1].headers.keys()
        assert [mail.recipients for mail in await deliver()] == [(known.email,)]

    async def test_cause_the_same_work(self, client: httpx.AsyncClient, people: People, resources: Resources) -> None:
        """The same statements, and so the same time, which `scripts/check/email_timing.py` measures."""
        statements: dict[str, list[str]] = {(await people.user()).email: [], "nobody@example.com": []}
        for email, executed in statements.items():

            def note(_connection: object, _cursor: object, statement: str, *_: object, to: Any = executed) -> None:
                to.append(re.sub(r"\d+", "", statement))  # savepoints are numbered

            event.listen(resources.engine.sync_engine, "before_cursor_execute", note)
            await client.post(FORGOT, json={"email": email})
            event.remove(resources.engine.sync_engine, "before_cursor_execute", note)
        known, unknown = statements.values()
        assert known == unknown
        assert known


class TestMailsToOneAddress:
    async def test_are_five_in_half_an_hour_and_the_last_is_good(
        self, client: httpx.AsyncClient, deliver: Deliver, people: People
    ) -> None:
        user = await people.user()
        tokens = [token for _ in range(7) for token in await forget(client, deliver, user.email)]
        assert len(tokens) == 5
        assert (await reset(client, tokens[-1])).status_code == 200

    async def test_are_limited_by_client_too(
        self, client: httpx.AsyncClient, resources: Resources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        app = resources.settings.app.model_copy(update={"rate_limit_factor": 0.01})
        monkeypatch.setattr(resources.settings, "app", app)
        statuses = [(await client.post(FORGOT, json={"email": "a@example.com"})).status_code for _ in range(2)]
        assert statuses == [200, 429]

    async def test_do_not_count_if_the_mail_server_is_away(
        self, client: httpx.AsyncClient, deliver: Deliver, people: People, catcher: MailCatcher, sent: list[TaskCall]
    ) -> None:
        user = await people.user()
        await client.post(FORGOT, json={"email": user.email})
        calls = list(sent)
        catcher.replies["CONNECT"] = "421 later"
        for _ in range(6):
            sent[:] = calls
            with pytest.raises(ServiceUnavailableError):
                await deliver()
        del catcher.replies["CONNECT"]
        sent[:] = calls
        assert len(await deliver()) == 1

    @pytest.mark.parametrize(
        ("reply", "error"), [("550 unknown", EmailRejectedError), ("cut", EmailOutcomeUnknownError)], ids=str
    )
    async def test_count_if_they_are_refused_or_may_have_arrived(
        self,
        client: httpx.AsyncClient,
        deliver: Deliver,
        people: People,
        catcher: MailCatcher,
        sent: list[TaskCall],
        reply: str,
        error: type[Exception],
    ) -> None:
        user = await people.user()
        await client.post(FORGOT, json={"email": user.email})
        calls = list(sent)
        catcher.replies["END" if reply == "cut" else "RCPT"] = reply
        for _ in range(5):
            sent[:] = calls
            with pytest.raises(error):
                await deliver()
        catcher.replies.clear()
        sent[:] = calls
        assert await deliver() == []
        links = [token_of(mail) for mail in catcher.mails]
        assert len(links) == (5 if reply == "cut" else 0)
        if links:
            assert (await reset(client, links[0])).status_code == 200


class TestTheLanguage:
    async def test_is_that_of_the_browser(self, client: httpx.AsyncClient, deliver: Deliver, people: People) -> None:
        await client.post(FORGOT, json={"email": (await people.user()).email}, headers={"Accept-Language": "zh-CN,en"})
        (mail,) = await deliver()
        assert mail.message["Subject"] == "重置您的密码"
        assert '<html lang="zh">' in mail.html

    async def test_is_the_users_own_if_it_is_known(
        self, client: httpx.AsyncClient, deliver: Deliver, people: People
    ) -> None:
        user = await people.user(language="zh")
        await client.post(FORGOT, json={"email": user.email}, headers={"Accept-Language": "en"})
        assert (await deliver())[0].message["Subject"] == "重置您的密码"


class TestSecrets:
    async def test_are_in_no_log_no_table_and_no_run_history(
        self,
        client: httpx.AsyncClient,
        deliver: Deliver,
        people: People,
        uow: UnitOfWork,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        user = await people.user()
        (token,) = await forget(client, deliver, user.email)
        links = (await uow.session.exec(select(EmailLink).where(EmailLink.user_id == user.id))).all()
        runs = (
            await uow.session.exec(
                select(TaskRun).where(col(TaskRun.name).startswith("emails."), TaskRun.create_time >= func.now())
            )
        ).all()
        await reset(client, token)
        audit = await audit_entries(uow)
        assert [run.kwargs["secret_email"] for run in runs] == ["***"]
        kept = repr([*links, *runs, *audit])
        assert token not in kept
        output = "".join(capfd.readouterr())
        assert "email_sent" in output
        assert token not in output
        assert user.email not in output + str(audit)

    async def test_a_reset_is_audited_with_its_user(
        self, client: httpx.AsyncClient, deliver: Deliver, people: People, uow: UnitOfWork
    ) -> None:
        user = await people.user()
        await reset(client, (await forget(client, deliver, user.email))[0])
        entries = await audit_entries(uow, f"POST:{FORGOT}", f"POST:{RESET}")
        assert [(entry["action"], entry["actor_id"]) for entry in entries] == [
            (f"POST:{FORGOT}", None),
            (f"POST:{RESET}", str(user.id)),
        ]

    async def test_a_refused_link_is_audited(
        self, client: httpx.AsyncClient, uow: UnitOfWork, catcher: MailCatcher
    ) -> None:
        assert (await reset(client, "made-up")).json()["error"] == "auth.invalid_link"
        entries = await audit_entries(uow, f"POST:{FORGOT}", f"POST:{RESET}")
        assert [(entry["action"], entry["error"]) for entry in entries] == [(f"POST:{RESET}", "auth.invalid_link")]
