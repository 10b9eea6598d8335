import os
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.fork_server import Fork, start
from tests.support.waiting import wait_until


@pytest.mark.process
def test_a_program_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    with (tmp_path / "output").open("wb") as output, Path(os.devnull).open() as nothing:
        command = [sys.executable, "-m", "http.server", "0", "--bind", "127.0.0.1"]
        program = start(command, os.environ, output=output, errors=output, stdin=nothing)
    assert isinstance(program, Fork)
    os.close(program._report)  # as the kernel does when the process is killed
    wait_until(lambda: not psutil.pid_exists(program.pid))
