"""The console in Chromium: invitations, and the e-mails that a mail server for development has kept."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, expect

from scripts.check.browser import browser
from scripts.check.console import ADMIN, READS_USERS, USER, make_role_and_user
from scripts.check.console_emails import HTML, INVITED, invite, mail_catcher, send_html, use_emails
from scripts.check.console_page import ConsolePage
from tests.console.conftest import close_pages, started
from tests.queues.conftest import free_port

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.worker, pytest.mark.slow]

INVITATIONS, MINE = "GET:/api/v1/users/invitations", "GET:/api/v1/permissions/mine"


class Console(NamedTuple):
    """The application, where its e-mails go to, and where they are kept."""

    url: str
    smtp_url: str
    mails: Path
    chromium: Browser

    def page(self, username: str = ADMIN[0], password: str = ADMIN[1]) -> ConsolePage:
        """The console in a new profile, for somebody who has logged in."""
        page = ConsolePage(self.chromium, self.url)
        page.sign_in(username, password)
        return page


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """An instance whose e-mails are caught, with links that lead to itself."""
    directory, port = tmp_path_factory.mktemp("emails"), free_port()
    url = f"http://localhost:{port}"
    with mail_catcher(directory / "mails") as settings:
        emails = {**settings, "EMAIL_LINK_URL": f"{url}/console"}
        with started(directory, emails, port=port), browser() as chromium:
            yield Console(url, settings["SMTP_URL"], directory / "mails", chromium)


@pytest.fixture
def console(instance: Console) -> Iterator[Console]:
    """The instance, where no e-mail was sent."""
    for mail in instance.mails.glob("*.eml"):
        mail.unlink()
    yield instance
    close_pages(instance.chromium)


def test_an_invitation_its_email_and_who_sees_them(console: Console) -> None:
    admin, reader = console.page(), console.page()
    use_emails(admin, reader)
    assert admin.call("GET", "users/invitations") == []

    with reader.page.expect_popup() as popup:
        reader.page.locator(".el-drawer__body").get_by_role("link").click()
    popup.value.wait_for_load_state()
    assert popup.value.evaluate("[opener, document.referrer]") == [None, ""]
    popup.value.close()

    invite(admin)
    make_role_and_user(admin)
    user = console.page(*USER)
    user.open("users")
    menu = user.page.get_by_role("navigation")
    expect(menu.get_by_role("link", name="Users")).to_be_visible()
    for name in ("Invitations", "Caught e-mails"):
        expect(user.page.get_by_role("link", name=name)).to_have_count(0)
    user.open("caught-emails")
    user.shows("GET:/api/v1/ops/caught-emails")

    role = admin.call("GET", "roles?keyword=reader")["records"][0]
    fields = {"name": role["name"], "description": "", "interfacePermissions": [READS_USERS, INVITATIONS, MINE]}
    admin.call("PUT", f"roles/{role['id']}", fields)
    user.open("invitations")
    expect(user.row(INVITED)).to_be_visible()
    for name in ("Invite", "Withdraw"):
        expect(user.button(name)).to_have_count(0)
    assert admin.problems() + reader.problems() + user.problems() == []


def test_no_email_is_more_than_text(console: Console) -> None:
    reader = console.page()
    reader.open("caught-emails")
    reader.shows("No e-mail was sent here.")
    send_html(console.smtp_url, "<i>Hello</i>")
    reader.reload_until(reader.row("<i>Hello</i>"))
    record = reader.record("<i>Hello</i>")
    expect(record).to_contain_text(HTML)
    expect(reader.page.locator(".el-drawer img, .el-drawer b, .el-drawer i:not([class]), tbody i")).to_have_count(0)
    assert "run" not in reader.page.title()

    broken = b"Content-Type: text/plain; charset=x-none\n\njavascript:alert(1) https://shop.example/a?b=1."
    (console.mails / "000900.eml").write_bytes(broken)
    reader.open("caught-emails?open=900")
    reader.shows("LookupError: unknown encoding: x-none")
    links = reader.page.locator(".el-drawer__body").get_by_role("link")
    expect(links).to_have_count(1)
    expect(links).to_have_attribute("href", "https://shop.example/a?b=1")
    assert reader.problems() == []
