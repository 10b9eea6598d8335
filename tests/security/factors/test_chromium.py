"""Passkeys of Chromium's own authenticator, where Chromium is installed: the browser makes and uses them."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, async_playwright

from scripts.check.browser import LOCALHOST_ALONE
from scripts.check.chromium import find_chromium
from tests.docs.readme import ROOT, blocks
from tests.security.factors.conftest import (
    PROOF,
    begin,
    confirm,
    data,
    first_step,
    passkey_login,
    passkey_options,
    second_step,
)
from tests.support.people import Person

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGE = "http://localhost/"
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
}
CREATE = """async (json) => {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(json);
    return (await navigator.credentials.create({ publicKey })).toJSON();
}"""
# As docs/identity.md has it, whose `post` is what the API answers, and takes what is sent.
GET = f"""async (json) => {{
    let sent;
    const post = async (path, body) => (body ? (sent = body.credential) : {{ options: json }});
    {blocks("js", (ROOT / "docs/identity.md").read_text())[0]}
    return sent;
}}"""


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """An empty page of this machine, in a browser with an authenticator; it reaches no server."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=[LOCALHOST_ALONE])
        page = await browser.new_page()
        await page.route(PAGE, lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
        devtools = await page.context.new_cdp_session(page)
        await devtools.send("WebAuthn.enable")
        await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        await page.goto(PAGE)
        yield page
        await browser.close()


async def test_a_journey(client: httpx.AsyncClient, person: Person, page: Page) -> None:
    enrolment = await begin(client, person, "passkey", name="Laptop")
    made: Any = await page.evaluate(CREATE, enrolment["options"])
    assert (await confirm(client, person, enrolment["id"], credential=made)).status_code == 200

    # Instead of the password.
    used: Any = await page.evaluate(GET, await passkey_options(client))
    assert (await passkey_login(client, used)).status_code == 200
    assert (await passkey_login(client, used)).status_code == 401

    # Besides the password.
    step = await first_step(client, person)
    used = await page.evaluate(GET, step.options)
    assert (await second_step(client, step, credential=used)).status_code == 200

    # Again, for a route that needs a recent proof.
    options = data(await client.get(PROOF, headers=person.headers))["passkeyOptions"]
    used = await page.evaluate(GET, options)
    data(await client.post(PROOF, json={"credential": used}, headers=person.headers))
