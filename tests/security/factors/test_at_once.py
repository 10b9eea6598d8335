"""One code, and one ticket, sent many times at once to the application in another process."""

import asyncio
import time

import pyotp
import pytest

from tests.security.factors.conftest import begin, confirm, data, first_step, second_step
from tests.support.people import Person
from tests.support.served import Served

pytestmark = [pytest.mark.process, pytest.mark.slow]


async def test_one_login_succeeds(served: Served, served_admin: Person) -> None:
    enrolment = await begin(served.client, served_admin)
    app, now = pyotp.TOTP(enrolment["secret"]), int(time.time())
    earlier, code = app.at(now - 30), app.at(now)
    codes = data(await confirm(served.client, served_admin, enrolment["id"], code=earlier))["recoveryCodes"]

    steps = [await first_step(served.client, served_admin) for _ in range(4)]
    for proof in (code, codes[0]):  # with tickets of their own, then all with one ticket
        answers = await asyncio.gather(*(second_step(served.client, step, code=proof) for step in steps))
        assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
        steps = [await first_step(served.client, served_admin)] * 4
