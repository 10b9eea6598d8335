import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.support.process import measured
from tests.support.stores import ROOT

Manage = Callable[..., "subprocess.CompletedProcess[str]"]


def run(*arguments: str, stdin: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
    """`manage.sh`, without the shell script around it."""
    return subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-m", "src.manage", *arguments],
        cwd=ROOT,
        env=os.environ | measured | environment,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def manage() -> Manage:
    """Runs a command on the stores of the session."""
    return run
