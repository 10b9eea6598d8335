import os
import subprocess
from collections.abc import Callable

import pytest

from tests.support.fork_server import run_python
from tests.support.process import measured

Manage = Callable[..., "subprocess.CompletedProcess[str]"]
_covered: set[tuple[str, ...]] = set()


def run(
    *arguments: str, stdin: str = "", module: str = "src.manage", **environment: str
) -> "subprocess.CompletedProcess[str]":
    """`manage.sh`, without the shell script around it; coverage counts the first run of each command."""
    coverage = {} if arguments[:2] in _covered else measured
    _covered.add(arguments[:2])
    environment = os.environ | coverage | environment
    return run_python("-m", module, *arguments, environment=environment, stdin=stdin)


@pytest.fixture(scope="session")
def manage() -> Manage:
    """Runs a command on the stores of the session."""
    return run
