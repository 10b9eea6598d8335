import os
import subprocess
import sys
from collections.abc import Callable
from tempfile import TemporaryFile

import pytest

from tests.support.fork_server import start
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
    with TemporaryFile("w+") as given, TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
        given.write(stdin)
        given.seek(0)
        command = [sys.executable, "-m", module, *arguments]
        code = start(command, environment, output=output, errors=errors, stdin=given).wait()
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(command, code, output.read(), errors.read())


@pytest.fixture(scope="session")
def manage() -> Manage:
    """Runs a command on the stores of the session."""
    return run
