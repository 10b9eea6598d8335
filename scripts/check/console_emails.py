"""E-mails in the console: somebody is invited, the e-mail is shown as it arrives, and the invitation is withdrawn."""

import re
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

from playwright.sync_api import expect

from scripts.bench.servers import ROOT
from scripts.check.console_page import ConsolePage
from scripts.local.ports import LOOPBACK, Ports

INVITED = "grace@example.com"
HTML = "<img src=x onerror='document.title = `run`'><b>bold</b>"


@contextmanager
def mail_catcher(directory: Path) -> Iterator[dict[str, str]]:
    """A mail server that keeps what it is sent; the settings of an instance that sends there, and shows it."""
    port = Ports.free().redis
    command = [sys.executable, "-m", "scripts.local.smtp", str(directory), str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:  # noqa: S603 - ours
        try:
            yield {
                "ENVIRONMENT": "LOCAL",
                "SMTP_URL": f"smtp://{LOOPBACK}:{port}",
                "EMAIL_FROM": "shop@example.com",
                "EMAIL_LINK_URL": "http://localhost/shop",
                "EMAIL_CAUGHT_DIRECTORY": str(directory),
            }
        finally:
            process.terminate()


def use_emails(admin: ConsolePage, reader: ConsolePage) -> None:
    """The administrator invites somebody; another page of theirs shows the e-mail as it arrives, and its link."""
    admin.open("users")
    admin.page.get_by_role("main").get_by_role("link", name="Invitations").click()
    admin.shows("Nobody is invited.")
    reader.open("caught-emails")
    expect(reader.live).to_be_visible()
    invite(admin)
    record = reader.record(INVITED)
    link = record.get_by_role("link")
    expect(link).to_have_attribute("href", re.compile(r"/accept-invitation#token=[\w-]+$"))
    expect(link).to_have_attribute("rel", "noreferrer")
    admin.row(INVITED).get_by_role("button", name="Withdraw").click()
    admin.confirm()
    admin.shows("Nobody is invited.")
    print("Somebody was invited, the e-mail was shown as it arrived, and the invitation was withdrawn.")


def invite(admin: ConsolePage) -> None:
    """Invite somebody by keyboard, on the page of invitations."""
    admin.page.keyboard.press("n")
    form = admin.dialog("Invite")
    admin.fill(form, {"email": "nonsense@example"})
    form.get_by_role("button", name="Invite").click()
    expect(form.locator(".el-form-item__error")).to_be_visible()
    admin.fill(form, {"email": INVITED})
    form.get_by_role("button", name="Invite").click()
    expect(form).to_be_hidden()
    expect(admin.row(INVITED)).to_be_visible()


def send_html(smtp_url: str, subject: str) -> None:
    """Hand a mail of HTML alone to the server."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "shop@example.com", "ada@example.com", subject
    message.set_content(HTML, subtype="html")
    host, _, port = smtp_url.removeprefix("smtp://").partition(":")
    with smtplib.SMTP(host, int(port), timeout=10) as server:
        server.send_message(message)
