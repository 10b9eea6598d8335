"""The console in Chromium, if asked for: `./scripts/test.sh -m browser`. Each check has stores of its own."""

import os
import subprocess
import sys

import pytest

from tests.support.stores import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.unit, pytest.mark.slow]


@pytest.mark.parametrize("check", [("console", "--journey"), ("console_states",)], ids=lambda check: check[0])
def test_it_works(check: tuple[str, ...]) -> None:
    name, *arguments = check
    command = [sys.executable, "-m", f"scripts.check.{name}", *arguments]
    # Without what names the stores of the tests.
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)  # noqa: S603 - ours
    assert done.returncode == 0, done.stdout + done.stderr
