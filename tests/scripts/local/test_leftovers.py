import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local.leftovers import birth, end_leftovers, record
from scripts.local.log import Log
from scripts.local.process import Process
from tests.support.waiting import wait_until

pytestmark = pytest.mark.process

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    process = Process("deaf", [sys.executable, "-c", DEAF], Log(tmp_path / "log"))
    process.start()
    yield process
    process.kill()


class TestRecordedProcess:
    def test_is_ended_even_when_it_does_not_listen(self, process: Process, tmp_path: Path) -> None:
        wait_until(lambda: "deaf" in process.log.tail())
        record(tmp_path / "processes.json", [process])
        end_leftovers(tmp_path / "processes.json", patience_seconds=0.1)
        assert process.exit_code == -9

    def test_is_forgotten_afterwards(self, process: Process, tmp_path: Path) -> None:
        record(tmp_path / "processes.json", [process])
        end_leftovers(tmp_path / "processes.json", patience_seconds=0.1)
        assert not (tmp_path / "processes.json").exists()


class TestStranger:
    def test_with_the_number_of_an_ended_process_is_left_alone(self, process: Process, tmp_path: Path) -> None:
        file = tmp_path / "processes.json"
        record(file, [process])
        file.write_text(file.read_text().replace(birth(process.pid), "another boot 1"))
        end_leftovers(file, patience_seconds=0.1)
        assert process.exit_code is None


class TestBirth:
    def test_of_an_ended_process_is_unknown(self) -> None:
        with subprocess.Popen(["true"]) as ended:  # noqa: S607 - any program
            wait_until(lambda: birth(ended.pid) == "")
