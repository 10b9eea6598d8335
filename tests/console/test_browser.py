"""The console in Chromium, where one is installed: a journey on an instance of its own, with worker and beat."""

import pytest

from scripts.check.browser import browser
from scripts.check.console import journey
from scripts.check.console_page import ConsolePage
from tests.console.conftest import Start

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.worker, pytest.mark.slow]


def test_a_journey(start: Start) -> None:
    url = start()
    with browser() as chromium:
        admin, user = ConsolePage(chromium, url), ConsolePage(chromium, url)
        journey(admin, user)
        assert admin.problems() + user.problems() == []
