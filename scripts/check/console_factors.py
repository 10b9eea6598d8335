"""Second factors in the console: an authenticator app, a recovery code, and a passkey of a virtual authenticator."""

import re

import pyotp
from playwright.sync_api import Locator, expect

from scripts.check.console_page import ConsolePage

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
}


def use_factors(user: ConsolePage, username: str, password: str) -> None:
    """Add an app and a passkey, log in with a recovery code and with the passkey, and remove both."""
    devtools = user.page.context.new_cdp_session(user.page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    user.sign_in(username, password)
    user.open("account")
    code = add_app(user)
    user.button("Sign out").click()
    user.sign_in(username, password)
    user.page.locator("#proof").fill("000000")
    user.button("Continue").click()
    user.shows("wrong")
    user.page.locator("#proof").fill(code)
    user.button("Continue").click()
    expect(user.page.locator(".frame")).to_be_visible()
    user.open("account")
    user.shows("9 left")
    add_passkey(user)
    user.button("Sign out").click()
    user.button("Sign in with a passkey").click()
    expect(user.page.locator(".frame")).to_be_visible()
    user.open("account")
    for name in ("Phone", "Laptop"):
        factors(user).locator("tr", has_text=name).get_by_role("button", name="Remove").click()
        user.confirm()
        expect(factors(user).locator("tr", has_text=name)).to_have_count(0)
    user.button("Sign out").click()
    print("An app was added, a recovery code used, a passkey made and used, and all of it removed.")


def factors(user: ConsolePage) -> Locator:
    """The part of the account's page that has the factors."""
    return user.page.locator(".block", has_text="Second factors")


def add_app(user: ConsolePage) -> str:
    """Add an authenticator app; returns a recovery code."""
    factors(user).get_by_role("button", name="Add an app").click()
    form = user.dialog("Add an authenticator app")
    user.fill(form, {"name": "Phone"})
    form.get_by_role("button", name="Continue").click()
    form = user.dialog("Confirm the app")
    expect(form.locator("img.qr")).to_be_visible()
    user.fill(form, {"code": pyotp.TOTP(form.locator("code").inner_text()).now()})
    form.get_by_role("button", name="Save").click()
    shown = user.dialog("Recovery codes")
    codes: list[str] = re.findall(r"\S+-\S+", shown.locator(".el-message-box__message").inner_text())
    shown.get_by_role("button", name="Close", exact=True).last.click()
    expect(factors(user).locator("tr", has_text="Phone")).to_be_visible()
    return codes[0]


def add_passkey(user: ConsolePage) -> None:
    """Make a passkey."""
    factors(user).get_by_role("button", name="Add a passkey").click()
    form = user.dialog("Add a passkey")
    user.fill(form, {"name": "Laptop"})
    form.get_by_role("button", name="Continue").click()
    expect(factors(user).locator("tr", has_text="Laptop")).to_be_visible()
