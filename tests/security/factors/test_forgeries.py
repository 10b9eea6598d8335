"""Replayed, changed, swapped, foreign and late assertions and codes: none of more than 500 is accepted."""

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import httpx
import pytest

from src.core.resources import Resources
from tests.security.factors.conftest import (
    AddApp,
    AddPasskey,
    App,
    begin,
    confirm,
    first_step,
    passkey_login,
    passkey_options,
    second_step,
)
from tests.support.authenticator import PRESENT, Authenticator, decode, encode
from tests.support.people import People, Person

pytestmark = pytest.mark.slow

REFUSED = {400, 401, 404, 422, 429}
FAULTS: list[dict[str, Any]] = [
    {"origin": "https://evil.example"},
    {"cross_origin": True},
    {"origin": "http://localhost:16000.evil.example"},
    {"origin": "https://localhost"},
    {"origin": "null"},
    {"rp_id": "evil.example"},
    {"flags": PRESENT},
    {"flags": 0},
    {"user_handle": b"somebody else   "},
    {"user_handle": None},
]
JUNK: list[Any] = [None, "", "A", "%%%", "\x00", 1, -1, [], {}, True, "a" * 5000, "é", ["x"]]


def changed_bytes(credential: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """One bit of one part of the response differs."""
    copy = deepcopy(credential)
    part = chance.choice([name for name, value in copy["response"].items() if isinstance(value, str)])
    content = bytearray(decode(copy["response"][part]))
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    copy["response"][part] = encode(bytes(content))
    return copy


def changed_fields(credential: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One field is something else, or missing."""
    for place, name in [("", name) for name in ("id", "rawId", "type", "response")] + [
        ("response", name) for name in credential["response"] if name != "transports"
    ]:
        for junk in JUNK:
            copy = deepcopy(credential)
            (copy[place] if place else copy)[name] = junk
            if copy != credential and not (name == "userHandle" and junk is None):
                yield copy


def changed_client_data(credential: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The client data say something else, unsigned."""
    for change in ({"type": "none"}, {"type": 1}, {"challenge": ""}, {"origin": 1}, {"crossOrigin": True}):
        copy = deepcopy(credential)
        data = json.loads(decode(copy["response"]["clientDataJSON"])) | change
        copy["response"]["clientDataJSON"] = encode(json.dumps(data).encode())
        yield copy


async def test_no_assertion_is_accepted_but_the_right_one(
    client: httpx.AsyncClient, people: People, person: Person, passkey: Authenticator, add_passkey: AddPasskey
) -> None:
    chance = random.Random(22)  # noqa: S311 - the same forgeries in each run
    foreign = await add_passkey(await people.create())
    foreign.sign_count = 6
    options = await passkey_options(client)
    right = passkey.get(options)
    other = foreign.get(await passkey_options(client))
    forged = [changed_bytes(right, chance) for _ in range(300)]
    forged += [*changed_fields(right), *changed_client_data(right)]
    for fault in FAULTS:
        kept = {name: getattr(passkey, name) for name in fault}
        for name, value in fault.items():
            setattr(passkey, name, value)
        forged.append(passkey.get(options))
        for name, value in kept.items():
            setattr(passkey, name, value)
    for name in ("clientDataJSON", "authenticatorData", "signature", "userHandle"):  # swapped with another user's
        forged += [
            {**a, "response": {**a["response"], name: b["response"][name]}} for a, b in ((right, other), (other, right))
        ]
    forged += [
        {**right, "id": other["id"], "rawId": other["rawId"]},
        {**other, "id": right["id"], "rawId": right["rawId"]},
    ]
    forged += [Authenticator(user_handle=passkey.user_handle, credential_id=passkey.credential_id).get(options)]
    statuses = [(await passkey_login(client, credential)).status_code for credential in forged]
    assert len(forged) > 400
    assert set(statuses) <= REFUSED
    assert (await passkey_login(client, right)).status_code == 200
    assert (await passkey_login(client, right)).status_code == 401


async def test_no_registration_is_accepted_but_the_right_one(client: httpx.AsyncClient, person: Person) -> None:
    chance = random.Random(22)  # noqa: S311 - as above
    statuses = []
    for _ in range(10):
        enrolment = await begin(client, person, "passkey")
        right = Authenticator().create(enrolment["options"])
        forged = [*changed_fields(right), *changed_client_data(right)]
        for credential in chance.sample(forged, 9):
            statuses.append((await confirm(client, person, enrolment["id"], credential=credential)).status_code)
    assert set(statuses) <= REFUSED


async def test_no_code_is_accepted_but_the_right_one(
    client: httpx.AsyncClient, people: People, person: Person, app: App, add_app: AddApp, resources: Resources
) -> None:
    foreign = await add_app(await people.create())
    app.clock.advance(300)
    near = {app.code(steps) for steps in (-1, 0, 1)}
    codes = [app.code(steps) for steps in range(-50, 51)] + [foreign.code(steps) for steps in range(-10, 10)]
    codes += [
        *foreign.recovery_codes,
        *(code[::-1] for code in app.recovery_codes),
        app.secret,
        "000000 ",
        "\x00",
        "-1",
    ]
    codes += ["".join(chr(ord(digit) + 0xFEE0) for digit in app.code()), f"{app.code()}0", app.code()[:5]]
    statuses = []
    for start in range(0, len(codes), 5):
        await resources.throttle.unlock(person.user.username_key)  # or else most would not be looked at
        step = await first_step(client, person)
        forged = [code for code in codes[start : start + 5] if code not in near]
        statuses += [(await second_step(client, step, code=code)).status_code for code in forged]
    assert set(statuses) <= {401, 422}
    assert (await second_step(client, await first_step(client, person), code=app.code())).status_code == 200
