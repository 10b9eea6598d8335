"""E-mails that a mail server for development has kept: a file `NUMBER.eml` each, the newest with the highest number.

`./scripts/dev.sh` has such a server, `scripts/local/smtp.py`. Anybody may have sent what it keeps, so a file may be
anything: one that is no e-mail is shown as it is, and keeps no other from being shown.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import EmailPolicy
from itertools import islice
from pathlib import Path

from typing_extensions import override

from src.utils.text import escape_controls

SHOWN = 100
READ_BYTES = 128 * 1024
TEXT_CHARACTERS = 20_000
HEADER_CHARACTERS = 1_000
_NAME = re.compile(r"([0-9]{1,18})\.eml")


class _ShortHeaders(EmailPolicy):
    """Takes apart the beginning of a header only: a long one that is malformed would take minutes."""

    @override
    def header_fetch_parse(self, name: str, value: str) -> str:
        parsed: str = super().header_fetch_parse(name, value[:HEADER_CHARACTERS])
        return parsed


@dataclass(frozen=True, kw_only=True)
class Content:
    """What an e-mail says.

    Attributes:
        to: Whom it is for, by its header.
        subject: Its subject, empty if it has none.
        text: Its plain text; the source of its HTML if it has no other; all of it if it cannot be taken apart.
        problem: Why it cannot be taken apart.
    """

    to: str
    subject: str
    text: str
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class CaughtEmail(Content):
    """What the e-mail in a file says, the number of the file, and when it was written."""

    id: str
    received_at: datetime


def read_caught_emails(directory: Path, limit: int = SHOWN) -> list[CaughtEmail]:
    """The newest e-mails, newest first; none if there is no such directory yet. It reads files: run it in a thread."""
    return list(islice(_emails(directory), limit))


def read_content(source: bytes) -> Content:
    """What an e-mail says, whatever the bytes are; characters that would control a terminal are escaped."""
    try:
        message = message_from_bytes(source, policy=_ShortHeaders())
        return Content(to=_line(message["To"]), subject=_line(message["Subject"]), text=_lines(_text(message)))
    except Exception as error:  # the parser of the standard library has many for what is no e-mail
        problem = f"{type(error).__name__}: {_line(error)}"
        return Content(to="", subject="", text=_lines(source.decode(errors="replace")), problem=problem)


def _emails(directory: Path) -> Iterator[CaughtEmail]:
    for number, name in sorted(_numbers(directory).items(), reverse=True):
        try:
            with (directory / name).open("rb") as file:
                received_at = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)
                source = file.read(READ_BYTES)
        except FileNotFoundError:
            continue  # the server keeps so many, and has removed it meanwhile
        yield CaughtEmail(id=str(number), received_at=received_at, **vars(read_content(source)))


def _numbers(directory: Path) -> dict[int, str]:
    """The files by their numbers; neither links, which lead elsewhere, nor pipes, which nobody may ever write to."""
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    except FileNotFoundError:
        return {}
    return {int(found[1]): name for name in names if (found := _NAME.fullmatch(name))}


def _text(message: Message) -> str:
    body = message.get_body(("plain", "html")) if isinstance(message, EmailMessage) else None
    return "" if body is None else str(body.get_content())


def _line(value: object) -> str:
    return escape_controls(str(value or ""))


def _lines(text: str) -> str:
    """The text with line ends as everywhere, escaped and shortened."""
    lines = text.replace("\r\n", "\n").strip()
    short = lines if len(lines) <= TEXT_CHARACTERS else f"{lines[:TEXT_CHARACTERS]}\n…"
    return escape_controls(short, keep="\n\t")
