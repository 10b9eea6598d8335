import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.support.process import measured
from tests.support.stores import ROOT

Manage = Callable[..., "subprocess.CompletedProcess[str]"]
_covered: set[tuple[str, ...]] = set()


def run(*arguments: str, stdin: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
    """`manage.sh`, without the shell script around it; coverage counts the first run of each command."""
    coverage = {} if arguments[:2] in _covered else measured
    _covered.add(arguments[:2])
    return subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-m", "src.manage", *arguments],
        cwd=ROOT,
        env=os.environ | coverage | environment,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def manage() -> Manage:
    """Runs a command on the stores of the session."""
    return run
