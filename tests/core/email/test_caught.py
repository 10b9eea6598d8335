import json
import os
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from email.message import EmailMessage
from pathlib import Path

import pytest

from scripts.local.smtp import KEPT, CaughtMail, keep_in
from src.core.email import caught
from src.core.email.caught import READ_BYTES, SHOWN, TEXT_CHARACTERS, read_caught_emails, read_content

pytestmark = pytest.mark.unit

PIECES = [
    *(b"To: ", b"Subject: =?utf-8?b?/w==?=", b"Content-Type: multipart/mixed; boundary=x", b"--x", b"<,@;:>"),
    *(b"Content-Transfer-Encoding: base64", b"\n", b"\n\n", b"\r", b"\xed\xa0\x80", b""),
]
LINK = "https://shop.example/reset-password#token=abc"


def email(subject: str = "Hello", text: str | None = LINK, html: str | None = None) -> bytes:
    message = EmailMessage()
    message["To"], message["Subject"] = "ada@example.com", subject
    if text is not None:
        message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    return bytes(message)


def subjects(directory: Path) -> list[str]:
    return [each.subject for each in read_caught_emails(directory)]


class TestADirectory:
    def test_is_listed_newest_first(self, tmp_path: Path) -> None:
        keep = keep_in(tmp_path / "mails")
        for number in range(12):
            keep(CaughtMail("a@example.com", ("ada@example.com",), email(f"Number {number}")))
        emails = read_caught_emails(tmp_path / "mails")
        assert [(each.id, each.subject) for each in emails] == [(str(n + 1), f"Number {n}") for n in range(11, -1, -1)]
        assert (emails[0].to, emails[0].text, emails[0].problem) == ("ada@example.com", LINK, None)
        assert abs(emails[0].received_at.timestamp() - time.time()) < 60

    def test_that_does_not_exist_has_none(self, tmp_path: Path) -> None:
        assert read_caught_emails(tmp_path / "none") == []

    def test_of_as_many_as_are_kept_shows_the_newest(self, tmp_path: Path) -> None:
        for number in range(KEPT):
            (tmp_path / f"{number:06}.eml").write_bytes(email(str(number)))
        assert subjects(tmp_path) == [str(KEPT - 1 - place) for place in range(SHOWN)]

    def test_shows_nothing_that_is_elsewhere_or_no_file(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_bytes(email("Secret"))
        mails = tmp_path / "mails"
        mails.mkdir()
        (mails / "000001.eml").write_bytes(email("Shown"))
        (mails / "000002.eml").symlink_to(tmp_path / "secret")
        os.mkfifo(mails / "000003.eml")  # reading it would wait for somebody to write
        (mails / "000004.eml").mkdir()
        for name in ("part", "notes.txt", "x.eml", "5.eml.part", "-6.eml"):
            (mails / name).write_bytes(email(name))
        assert subjects(mails) == ["Shown"]

    def test_goes_on_without_an_email_that_is_removed_meanwhile(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "000002.eml").write_bytes(email("Newer"))
        monkeypatch.setattr(caught, "_numbers", lambda _: {1: "000001.eml", 2: "000002.eml"})
        assert subjects(tmp_path) == ["Newer"]

    def test_has_no_half_of_an_email(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        whole, keep = Path.write_bytes, keep_in(tmp_path)

        def full_disk(file: Path, content: bytes) -> int:
            whole(file, content[:10])
            raise OSError("No space left on device")

        monkeypatch.setattr(Path, "write_bytes", full_disk)
        with pytest.raises(OSError, match="No space"):
            keep(CaughtMail("a@example.com", ("ada@example.com",), email()))
        assert read_caught_emails(tmp_path) == []


class TestAnEmail:
    def test_is_shown_by_its_plain_text(self) -> None:
        assert read_content(email(text="Grüße 您好\r\nBye", html="<b>No</b>")).text == "Grüße 您好\nBye"

    def test_without_one_by_the_source_of_its_html(self) -> None:
        assert read_content(email(text=None, html="<b onclick='x()'>Hello</b>")).text == "<b onclick='x()'>Hello</b>"

    def test_that_has_no_text_has_none(self) -> None:
        content = read_content(b"Subject: Scan\nContent-Type: application/pdf\n\n%PDF")
        assert (content.subject, content.text, content.problem) == ("Scan", "", None)

    def test_is_shortened(self) -> None:
        assert read_content(email(text="x" * (TEXT_CHARACTERS + 1))).text == "x" * TEXT_CHARACTERS + "\n…"

    def test_is_read_up_to_a_size(self, tmp_path: Path) -> None:
        (tmp_path / "1.eml").write_bytes(email(text="Short") + b"\n" * READ_BYTES + b"Beyond")
        assert [each.text for each in read_caught_emails(tmp_path)] == ["Short"]

    def test_that_names_an_unknown_encoding_is_shown_as_it_is(self) -> None:
        source = b"Subject: Hello\nContent-Type: text/plain; charset=x-none\n\nGr\xfc\xdfe"
        content = read_content(source)
        assert content.problem == "LookupError: unknown encoding: x-none"
        assert content.text == source.decode(errors="replace")

    def test_controls_no_terminal_and_hides_no_direction(self) -> None:
        head = "Subject: \x1b[2J\u202eevil\nContent-Type: text/plain; charset=utf-8"
        content = read_content(f"{head}\n\n\x1b]0;x\x07 \u202e\ttab".encode())
        assert (content.subject, content.text) == ("\\u001b[2J\\u202eevil", "\\u001b]0;x\\u0007 \\u202e\ttab")

    @pytest.mark.parametrize("seed", range(20))
    def test_may_be_anything(self, seed: int) -> None:
        """Bytes, and headers and parts of e-mails in a heap: it is shown, in a way that JSON can hold."""
        chance = random.Random(seed)  # noqa: S311 - samples
        pieces = [*PIECES, chance.randbytes(200)]
        for _ in range(200):
            content = read_content(b"\n".join(chance.choices(pieces, k=chance.randrange(12))))
            json.dumps(asdict(content), ensure_ascii=False).encode()

    @pytest.mark.parametrize("name", ["To", "Subject", "Content-Type"])
    @pytest.mark.parametrize("piece", ["<,@;:>", '"', "(", "a@b.c,"])
    def test_with_an_endless_header_is_taken_apart_at_once(self, name: str, piece: str) -> None:
        """It took minutes."""
        source = f"{name}: {piece * (READ_BYTES // len(piece))}\n\nText".encode()
        started = time.process_time()
        read_content(source)
        assert time.process_time() - started < 5

    @pytest.fixture
    def recursion_limit(self) -> Iterator[None]:
        """Python's own limit; Hypothesis raises it for the process."""
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(1000)
        yield
        sys.setrecursionlimit(limit)

    @pytest.mark.usefixtures("recursion_limit")
    def test_that_nests_without_end_is_shown(self) -> None:
        deep = b"".join(b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(3000))
        assert read_content(b"Subject: Deep\n" + deep).text != ""
