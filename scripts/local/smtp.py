"""A mail server for development and tests: it delivers nothing, and keeps what it is sent.

python -m scripts.local.smtp DIRECTORY PORT    serve
python -m scripts.local.smtp DIRECTORY         show what was sent

It speaks the part of SMTP that clients need to hand over a mail, without encryption and without a login.
"""

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from scripts.local.ports import LOOPBACK
from src.core.email.caught import read_content

MAXIMUM_BYTES = 10 * 1024 * 1024
KEPT = 1000
CUT = "cut"
PATH = re.compile(rb"(?:FROM|TO):\s*<([^<>\r\n]*)>", re.IGNORECASE)


@dataclass(frozen=True)
class CaughtMail:
    """A mail as it arrived."""

    sender: str
    recipients: Sequence[str]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        """The mail with its headers and parts."""
        return message_from_bytes(self.content, policy=policy.default)

    @property
    def text(self) -> str:
        """The plain text."""
        return _part(self.message, "plain")

    @property
    def html(self) -> str:
        """The HTML."""
        return _part(self.message, "html")


class MailCatcher:
    """The server.

    Attributes:
        mails: What has arrived, oldest first.
        replies: Replies in place of the usual ones, by command, such as `{"RCPT": "550 No such user"}`.
            `{"END": "cut"}` keeps the mail, and ends the connection without a reply.
    """

    def __init__(self, keep: Callable[[CaughtMail], object] | None = None) -> None:
        self.mails: list[CaughtMail] = []
        self.replies: dict[str, str] = {}
        self._keep = keep or self.mails.append

    async def start(self, port: int = 0) -> asyncio.Server:
        """Listen on the loopback address; 0 is any free port."""
        return await asyncio.start_server(self._serve, LOOPBACK, port, limit=64 * 1024)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _Session(self, self._keep, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # the client is gone, or speaks another protocol
        finally:
            writer.close()


class _Session:
    """One connection."""

    def __init__(
        self,
        catcher: MailCatcher,
        keep: Callable[[CaughtMail], object],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._catcher, self._keep, self._reader, self._writer = catcher, keep, reader, writer
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._commands: dict[str, Callable[[bytes], Awaitable[str] | str]] = {
            "EHLO": self._hello,
            "HELO": self._hello,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._reset,
            "NOOP": lambda _: "250 OK",
            "QUIT": lambda _: "221 Bye",
        }

    async def run(self) -> None:
        """Reply to commands until the client leaves."""
        await self._send(self._catcher.replies.get("CONNECT", "220 ready"))
        while line := await self._reader.readline():
            name, _, argument = line.strip().partition(b" ")
            command = name.decode("ascii", "replace").upper()
            reply = self._catcher.replies.get(command) or self._commands.get(command, _unknown)(argument)
            await self._send(reply if isinstance(reply, str) else await reply)
            if command == "QUIT":
                return

    async def _send(self, reply: str) -> None:
        self._writer.write(f"{reply}\r\n".encode())
        await self._writer.drain()

    def _hello(self, _argument: bytes) -> str:
        self._reset(b"")
        return f"250-catcher\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE {MAXIMUM_BYTES}"

    def _mail(self, argument: bytes) -> str:
        if not (found := PATH.match(argument)):
            return "501 MAIL FROM:<address>"
        self._sender, self._recipients = found[1].decode(errors="replace"), []
        return "250 OK"

    def _rcpt(self, argument: bytes) -> str:
        if self._sender is None:
            return "503 MAIL first"
        if not (found := PATH.match(argument)):
            return "501 RCPT TO:<address>"
        self._recipients.append(found[1].decode(errors="replace"))
        return "250 OK"

    def _reset(self, _argument: bytes) -> str:
        self._sender, self._recipients = None, []
        return "250 OK"

    async def _data(self, _argument: bytes) -> str:
        if self._sender is None or not self._recipients:
            return "503 RCPT first"
        await self._send("354 End with a dot on a line")
        lines: list[bytes] = []
        size = 0
        while (line := await self._reader.readline()) != b".\r\n":
            if not line:
                raise ConnectionError
            size += len(line)
            if size <= MAXIMUM_BYTES:
                lines.append(line.removeprefix(b"."))
        if size > MAXIMUM_BYTES:
            return "552 Too big"
        reply = self._catcher.replies.get("END")
        if reply and reply != CUT:
            return reply
        self._keep(CaughtMail(self._sender, tuple(self._recipients), b"".join(lines)))
        if reply == CUT:
            raise ConnectionError
        self._reset(b"")
        return "250 Kept"


def _unknown(_argument: bytes) -> str:
    return "502 Unknown"


def describe(mail: CaughtMail) -> str:
    """A mail for a terminal: whom it is for, subject and text."""
    content = read_content(mail.content)
    text = "\n".join(f"  {line}" for line in content.text.splitlines() if line)
    return f"To {', '.join(mail.recipients)}: {content.subject}\n{text}"


def read_mails(directory: Path) -> list[CaughtMail]:
    """The mails in a directory, oldest first."""
    contents = [file.read_bytes() for file in sorted(directory.glob("*.eml"))]
    return [CaughtMail("", (str(message_from_bytes(content)["To"]),), content) for content in contents]


def keep_in(directory: Path) -> Callable[[CaughtMail], None]:
    """Keep mails as files in a directory, the newest 1,000, and print each."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    numbers = [int(file.stem) for file in directory.glob("*.eml") if file.stem.isdecimal()]
    last = max(numbers, default=0)

    def keep(mail: CaughtMail) -> None:
        nonlocal last
        last += 1
        part = directory / "part"
        part.write_bytes(mail.content)
        part.rename(directory / f"{last:06}.eml")  # at once: nobody reads half of it
        (directory / f"{last - KEPT:06}.eml").unlink(missing_ok=True)
        print(describe(mail), flush=True)

    return keep


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    return str(body.get_content()).replace("\r\n", "\n") if body is not None else ""


async def serve(directory: Path, port: int) -> None:
    """Serve until the process is stopped."""
    async with await MailCatcher(keep_in(directory)).start(port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    match sys.argv[1:]:
        case [directory, port]:
            asyncio.run(serve(Path(directory), int(port)))
        case [directory]:
            print("\n\n".join(map(describe, read_mails(Path(directory)))) or "There are no mails.")
        case _:
            sys.exit(__doc__)
