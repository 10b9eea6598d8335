"""The console in Chromium: logins with a provider and by a cookie, and one's own account."""

import json
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Locator, expect

from scripts.check.browser import browser
from scripts.check.console import ADMIN
from scripts.check.console_page import ConsolePage
from scripts.local.ports import LOOPBACK
from scripts.local.smtp import read_mails
from tests.console.conftest import add_user, close_pages, started
from tests.queues.conftest import free_port
from tests.support.openid import CLIENT_ID, CLIENT_SECRET, OpenIDProvider, openid_provider
from tests.support.process import Process
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.worker, pytest.mark.slow]

NAME = "Test & Co"
HOUR = 3600
REFUSAL = 400, {"Content-Type": "application/json"}, b'{"error": "invalid_grant"}'


class Console(NamedTuple):
    """The application, the provider that it knows, and the e-mails that it has sent."""

    url: str
    chromium: Browser
    provider: OpenIDProvider
    mails: Path

    def page(self) -> ConsolePage:
        """The console in a new profile."""
        return ConsolePage(self.chromium, self.url)

    def receives(self, subject: str, recipient: str) -> None:
        """Return once an e-mail has arrived."""

        def arrived() -> bool:
            mails = [each.message for each in read_mails(self.mails)]
            return (recipient, subject) in [(mail["To"], mail["Subject"]) for mail in mails]

        wait_until(arrived)


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """An instance with a provider and e-mail, whose users export and delete accounts."""
    directory, port, mail_port = tmp_path_factory.mktemp("logins"), free_port(), free_port()
    url, mails = f"http://localhost:{port}", directory / "mails"  # cookies and passkeys belong to a name
    command = [sys.executable, "-m", "scripts.local.smtp", str(mails), str(mail_port)]
    with openid_provider() as provider, Process(command, directory / "smtp", os.environ):
        test = {"issuer": provider.issuer, "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}
        settings = {
            "OIDC_PROVIDERS": json.dumps({"test": {**test, "displayName": NAME, "allowSignUp": True}}),
            "OIDC_PUBLIC_URL": url,
            "OIDC_FRONTEND_URL": f"{url}/console",
            "SMTP_URL": f"smtp://{LOOPBACK}:{mail_port}",
            "EMAIL_FROM": "shop@example.com",
            "EMAIL_LINK_URL": "https://shop.example",
            "ACCOUNT_EXPORT_DAYS": "7",
            "ACCOUNT_DELETION_DAYS": "14",
            "DEVICES_ENABLED": "true",
        }
        with started(directory, settings, port=port), browser() as chromium:
            yield Console(url, chromium, provider, mails)


@pytest.fixture
def console(instance: Console) -> Iterator[Console]:
    """The instance; the person at the provider is somebody new."""
    instance.provider.reset()
    yield instance
    close_pages(instance.chromium)


def identities(user: ConsolePage) -> Locator:
    """The part of the account's page that has the linked identities."""
    return user.page.locator(".block", has_text="Logins elsewhere")


def sign_out(user: ConsolePage) -> None:
    user.button("Sign out").click()
    expect(user.page.locator("#username")).to_be_visible()


def with_provider(user: ConsolePage) -> None:
    """Log in with the provider."""
    user.page.goto(f"{user.url}/console")
    user.button(f"Sign in with {NAME}").click()
    expect(user.page.locator(".frame")).to_be_visible()


def confirm_deletion(user: ConsolePage, password: str = "") -> None:
    user.button("Delete my account").click()
    form = user.dialog("Delete my account")
    user.fill(form, {"oldPassword": password})
    form.get_by_role("button", name="Delete").click()


def test_a_linked_provider_an_export_and_the_end_of_an_account(console: Console) -> None:
    username, password = add_user(console.chromium, console.url, "ada")
    address = f"{username}@example.com"
    user = console.page()
    user.sign_in(username, password)
    user.open("account")
    user.button(f"Link {NAME}").click()
    user.shows(f"You can sign in with {NAME} now.")
    user.page.wait_for_url("**/console/account")
    expect(identities(user).locator("tbody tr")).to_contain_text([NAME])
    console.receives("Another way to log in to your account", address)

    sign_out(user)
    with_provider(user)
    assert user.call("GET", "auth/user/info")["username"] == username

    user.open("account")
    user.button("Export my data").click()
    console.receives("Your data is ready", address)
    with user.page.expect_download() as download:
        user.button("Download the export").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert json.loads(archive.read("profile.json"))[0]["username"] == username

    identities(user).get_by_role("button", name="Unlink").click()
    user.confirm()
    expect(identities(user).locator("tbody tr")).to_have_count(0)
    console.receives("A way to log in to your account was removed", address)
    sign_out(user)
    user.button(f"Sign in with {NAME}").click()
    user.page.wait_for_url("**/console**")
    expect(user.page.locator(".frame")).to_be_visible()  # somebody new, whom the provider may sign up
    assert user.call("GET", "auth/user/info")["username"] != username
    sign_out(user)

    user.sign_in(username, password)
    user.open("account")
    confirm_deletion(user, password)
    expect(user.page.locator("#username")).to_be_visible()
    console.receives("Your account will be deleted", address)
    user.sign_in(username, password)
    user.open("account")
    user.button("Keep my account").click()
    expect(user.button("Delete my account")).to_be_visible()
    assert user.call("GET", "auth/user/info")["deletionDueAt"] is None
    assert user.observed.problems == []


def test_somebody_with_a_provider_alone_proves_who_they_are(console: Console) -> None:
    """They logged in there an hour ago: to delete their account, the provider has to ask them again."""
    console.provider.logged_in_at = int(time()) - HOUR
    user = console.page()
    with_provider(user)
    user.open("account")
    username = user.call("GET", "auth/user/info")["username"]
    sessions = user.call("GET", "auth/sessions")
    confirm_deletion(user)
    question = user.dialog("Is it you?")
    expect(question).to_contain_text("To go on, sign in again.")
    with user.page.expect_response("**/api/v1/auth/login/oidc"):
        question.get_by_role("button", name=NAME).click()
    expect(user.page.locator(".frame")).to_be_visible()
    assert user.page.url == f"{console.url}/console/account"
    assert user.call("GET", "auth/user/info")["username"] == username
    ids = {row["id"] for row in user.call("GET", "auth/sessions")}
    assert (len(ids), ids & {row["id"] for row in sessions}) == (1, set())

    identities(user).get_by_role("button", name="Unlink").click()
    user.confirm()
    user.shows("It is the only way to log in")
    confirm_deletion(user)
    expect(user.page.locator("#username")).to_be_visible()
    with_provider(user)
    user.open("account")
    expect(user.button("Keep my account")).to_be_visible()
    assert user.observed.problems == []


def test_a_provider_that_refuses_is_told(console: Console) -> None:
    user = console.page()
    user.sign_in(*ADMIN)
    user.open("account")
    console.provider.answers["/token"] = lambda: REFUSAL
    user.button(f"Link {NAME}").click()
    user.shows("auth.oidc_failed")
    expect(identities(user)).to_contain_text("None.")
    sign_out(user)
    user.button(f"Sign in with {NAME}").click()
    user.shows("auth.oidc_failed")
    assert user.observed.problems == []
