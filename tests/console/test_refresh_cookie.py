"""The console in Chromium, where the refresh token is in a cookie."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from scripts.check.browser import browser
from scripts.check.console_factors import use_factors
from scripts.check.console_page import ConsolePage
from tests.console.conftest import add_user, started
from tests.queues.conftest import free_port

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.slow]


def test_no_script_can_read_the_refresh_token(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://localhost:{port}"  # cookies and passkeys belong to a name
    settings = {"REFRESH_COOKIE_ENABLED": "true", "DEVICES_ENABLED": "true"}
    with started(tmp_path, settings, port=port, with_worker=False), browser() as chromium:
        ada = add_user(chromium, url, "ada")
        user = ConsolePage(chromium, url)
        use_factors(user, *ada)
        user.sign_in(*ada)
        kept = user.page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])")
        (cookie,) = [each for each in user.page.context.cookies() if each["name"] == "refresh_token"]
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["value"] in kept) == (True, "Strict", False)
        assert '\\"refreshToken\\":\\"\\"' in kept

        other = user.page.context.new_page()
        other.goto(f"{url}/console/account")
        expect(other.locator(".frame")).to_be_visible()
        user.page.evaluate(
            "sessionStorage.tokens = JSON.stringify({ ...JSON.parse(sessionStorage.tokens), accessToken: 'x' })"
        )
        user.open("account")
        expect(user.page.locator(".frame")).to_be_visible()

        user.button("Sign out").click()
        expect(user.page.locator("#username")).to_be_visible()
        expect(other.locator("#username")).to_be_visible()
        assert [each for each in user.page.context.cookies() if each["name"] == "refresh_token"] == []
        assert user.observed.problems == []
