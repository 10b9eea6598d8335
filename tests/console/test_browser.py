"""The console in Chromium, where one is installed: a journey on an instance of its own, with worker and beat."""

from pathlib import Path

import pytest

from scripts.check.browser import browser
from scripts.check.console import journey
from scripts.check.console_page import ConsolePage
from tests.console.conftest import started

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.worker, pytest.mark.slow]


def test_a_journey(tmp_path: Path) -> None:
    with started(tmp_path) as url, browser() as chromium:
        admin, user = ConsolePage(chromium, url), ConsolePage(chromium, url)
        journey(admin, user)
        assert admin.problems() + user.problems() == []
