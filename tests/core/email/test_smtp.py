import smtplib
from asyncio import to_thread
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiosmtplib import SMTP, SMTPResponse
from pydantic import SecretStr

from scripts.local.smtp import MailCatcher
from src.core.config import settings
from src.core.config.identity.email import EmailSettings
from src.core.email.rendering import Mail
from src.core.email.smtp import EmailDeferredError, EmailOutcomeUnknownError, EmailRejectedError, send
from src.core.exceptions import ServiceUnavailableError

MAIL = Mail("Grüße 您好", "Line 1\n.\n..dots\n" + "x" * 2000 + "\n您好\n", "<p>您好</p>")
TO = "ada@example.com"


class Server:
    """A catcher, and the settings that lead to it."""

    def __init__(self, catcher: MailCatcher, port: int) -> None:
        self.catcher, self.port = catcher, port
        update: dict[str, Any] = {"smtp_url": SecretStr(f"smtp://127.0.0.1:{port}"), "timeout_seconds": 5}
        self.settings: EmailSettings = settings.email.model_copy(update=update | {"sender": "Shop <a@example.com>"})


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    catcher = MailCatcher()
    async with await catcher.start() as listener:
        yield Server(catcher, listener.sockets[0].getsockname()[1])


class TestAMail:
    async def test_arrives_as_it_was_written(self, server: Server) -> None:
        await send(server.settings, TO, MAIL)
        (mail,) = server.catcher.mails
        assert (mail.sender, mail.recipients) == ("a@example.com", (TO,))
        assert (mail.message["Subject"], mail.text, mail.html.strip()) == (MAIL.subject, MAIL.text, MAIL.html)
        assert mail.content.isascii()
        assert max(map(len, mail.content.splitlines())) < 999
        assert mail.message["Auto-Submitted"] == "auto-generated"
        assert mail.message["Message-ID"].endswith("@example.com>")

    async def test_goes_to_an_international_domain(self, server: Server) -> None:
        await send(server.settings, "ada@bücher.example", MAIL)
        assert server.catcher.mails[0].recipients == ("ada@xn--bcher-kva.example",)

    @pytest.mark.parametrize(
        "recipient", ["a@example.com\r\nBcc: b@example.com", "a@example.com, b@example.com", "a@example.com>", "", "a"]
    )
    async def test_goes_to_one_address_alone(self, server: Server, recipient: str) -> None:
        with pytest.raises(EmailRejectedError) as raised:
            await send(server.settings, recipient, MAIL)
        assert "example" not in str(raised.value)
        assert server.catcher.mails == []

    async def test_has_no_headers_but_its_own(self, server: Server) -> None:
        with pytest.raises(EmailRejectedError):
            await send(server.settings, TO, Mail("Hello\r\nBcc: all@example.com", "text", "html"))
        assert server.catcher.mails == []


class TestARefusal:
    @pytest.mark.parametrize("command", ["RCPT", "END"])
    async def test_for_good_is_permanent(self, server: Server, command: str) -> None:
        server.catcher.replies[command] = f"550 {TO} is unknown"
        with pytest.raises(EmailRejectedError, match="550") as raised:
            await send(server.settings, TO, MAIL)
        assert TO not in str(raised.value)

    @pytest.mark.parametrize(
        ("command", "reply"),
        [
            ("RCPT", "421 closing"),
            ("CONNECT", "554 no"),
            ("MAIL", "530 log in first"),
            ("EHLO", "421 closing"),
            ("DATA", "421 closing"),
        ],
    )
    async def test_for_now_is_an_outage(self, server: Server, command: str, reply: str) -> None:
        server.catcher.replies[command] = reply
        with pytest.raises(ServiceUnavailableError) as raised:
            await send(server.settings, TO, MAIL)
        assert raised.value.store == "smtp"
        assert TO not in str(raised.value)

    @pytest.mark.parametrize(
        ("command", "reply"), [("RCPT", f"450 {TO} busy"), ("RCPT", "452 full"), ("END", "451 no")]
    )
    async def test_of_one_mail_for_now_is_no_outage(self, server: Server, command: str, reply: str) -> None:
        server.catcher.replies[command] = reply
        with pytest.raises(EmailDeferredError, match=reply[:3]) as raised:
            await send(server.settings, TO, MAIL)
        assert TO not in str(raised.value)

    async def test_of_an_address_beyond_ascii_is_permanent(self, server: Server) -> None:
        await send(server.settings, "ü@example.com", MAIL)
        assert server.catcher.mails[0].recipients == ("ü@example.com",)
        server.catcher.replies["EHLO"] = "250 catcher"
        with pytest.raises(EmailRejectedError):
            await send(server.settings, "ü@example.com", MAIL)
        assert len(server.catcher.mails) == 1

    async def test_may_be_unknown(self, server: Server) -> None:
        server.catcher.replies["END"] = "cut"
        with pytest.raises(EmailOutcomeUnknownError):
            await send(server.settings, TO, MAIL)
        assert len(server.catcher.mails) == 1

    async def test_is_waited_for_longer_once_the_mail_was_sent(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        timeouts: list[float] = []

        async def data(_client: SMTP, _message: bytes, *, timeout: float) -> SMTPResponse:  # noqa: ASYNC109 - aiosmtplib's
            timeouts.append(timeout)
            return SMTPResponse(250, "taken")

        monkeypatch.setattr(SMTP, "data", data)
        await send(server.settings, TO, MAIL)
        assert timeouts == [120]

    async def test_of_encryption_sends_nothing(self, server: Server) -> None:
        url = SecretStr(f"smtps://127.0.0.1:{server.port}")
        with pytest.raises(ServiceUnavailableError):
            await send(server.settings.model_copy(update={"smtp_url": url}), TO, MAIL)
        assert server.catcher.mails == []

    async def test_of_starttls_sends_nothing(self, server: Server) -> None:
        class Required(EmailSettings):
            @property
            def server(self) -> Any:
                return server.settings.server._replace(tls="starttls")

        with pytest.raises(ServiceUnavailableError):
            await send(Required.model_construct(sender="a@example.com", timeout_seconds=5), TO, MAIL)
        assert server.catcher.mails == []

    async def test_to_connect_is_an_outage(self, server: Server) -> None:
        url = SecretStr("smtp://127.0.0.1:9")
        with pytest.raises(ServiceUnavailableError):
            await send(server.settings.model_copy(update={"smtp_url": url}), TO, MAIL)


class TestTheCatcher:
    async def test_serves_another_client(self, server: Server) -> None:
        def talk() -> list[int]:
            with smtplib.SMTP("127.0.0.1", server.port, timeout=10) as client:
                codes = [client.rcpt(TO)[0], client.docmd("DATA")[0], client.docmd("FOO")[0], client.noop()[0]]
                client.sendmail("a@example.com", [TO, "b@example.com"], b"Subject: x\r\n\r\n.dot\r\n")
                return [*codes, client.rset()[0]]

        assert await to_thread(talk) == [503, 503, 502, 250, 250]
        (mail,) = server.catcher.mails
        assert (mail.recipients, mail.content) == ((TO, "b@example.com"), b"Subject: x\r\n\r\n.dot\r\n")
