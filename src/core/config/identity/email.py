"""The mail server, the sender, and where the links in e-mails lead."""

import re
from email.utils import parseaddr
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import Field, SecretStr

from src.core.config.auth import check_no_placeholder
from src.core.config.base import ConfigurationError, SettingsGroup
from src.utils.language import Language

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
FORM = "SMTP_URL must be smtp://user:password@host:587 (STARTTLS) or smtps://user:password@host:465 (TLS)."


class SMTPServer(NamedTuple):
    """A mail server; `tls` is from the start (`implicit`), by STARTTLS before the login (`starttls`), or not at all."""

    host: str
    port: int
    username: str | None
    password: str | None
    tls: Literal["implicit", "starttls", "none"]


class EmailSettings(SettingsGroup):
    """How e-mails are sent. Without `SMTP_URL` none are, and the routes that need e-mail do not exist."""

    smtp_url: SecretStr | None = Field(None, alias="SMTP_URL")
    timeout_seconds: float = Field(10, gt=0, alias="SMTP_TIMEOUT_SECONDS")
    sender: str = Field("", alias="EMAIL_FROM")
    link_url: str = Field("", alias="EMAIL_LINK_URL")
    language: Language = Field("en", alias="EMAIL_LANGUAGE")
    caught_directory: Path | None = Field(None, alias="EMAIL_CAUGHT_DIRECTORY")

    @property
    def enabled(self) -> bool:
        """Whether e-mails are sent."""
        return self.smtp_url is not None

    @cached_property
    def server(self) -> SMTPServer:
        """The mail server of `SMTP_URL`.

        Raises:
            ConfigurationError: The URL is missing or unusable. It is not shown: it may hold a password.
        """
        try:
            url = urlsplit(self.smtp_url.get_secret_value() if self.smtp_url else "")
            host, port, options = url.hostname, url.port, parse_qs(url.query)
        except ValueError as error:
            raise ConfigurationError(FORM) from error
        if url.scheme not in ("smtp", "smtps") or not host:
            raise ConfigurationError(FORM)
        username, password = (unquote(text) if text else None for text in (url.username, url.password))
        if url.scheme == "smtps":
            return SMTPServer(host, port or 465, username, password, "implicit")
        plain = host in LOOPBACK or options.get("starttls") == ["false"]
        return SMTPServer(host, port or 587, username, password, "none" if plain else "starttls")

    def check(self, *, is_local: bool) -> None:
        """Refuse a mail server without a sender or without pages for the links; and to show e-mails, unless `is_local`.

        Raises:
            ConfigurationError: With the first reason, in one line.
        """
        if self.caught_directory is not None and not is_local:
            raise ConfigurationError(
                "EMAIL_CAUGHT_DIRECTORY is for ENVIRONMENT=LOCAL only: who reads others' e-mails can log in as them."
            )
        if not self.enabled:
            return
        _ = self.server
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", parseaddr(self.sender)[1]) or not self.sender.isprintable():
            raise ConfigurationError("EMAIL_FROM must be an address, such as Shop <noreply@shop.example>.")
        if not re.fullmatch(r"https?://[^\s#?]+", self.link_url):
            raise ConfigurationError("EMAIL_LINK_URL must be the URL of your frontend, such as https://shop.example.")

    def check_deployed(self, *, may_be_plain: bool) -> None:
        """Refuse links and, unless it `may_be_plain`, a mail server without encryption; and a password from an example.

        Raises:
            ConfigurationError: With the first reason, in one line.
        """
        if not self.enabled:
            return
        if not self.link_url.startswith("https://"):
            raise ConfigurationError("EMAIL_LINK_URL must begin with https://: whoever reads a link can use it.")
        if self.server.tls == "none" and self.server.host not in LOOPBACK and not may_be_plain:
            raise ConfigurationError("SMTP_URL has starttls=false. ALLOW_INSECURE_STORES may allow that for smtp.")
        if self.server.password is not None:
            check_no_placeholder("The password of SMTP_URL", self.server.password)
