import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local.children import Children
from scripts.local.errors import LocalError
from scripts.local.log import Log
from scripts.local.patience import wait_until
from scripts.local.process import Process

pytestmark = pytest.mark.process

IDLE = "import time; time.sleep(600)"
WRITING = "import time\nwhile True: print('on my way', flush=True); time.sleep(0.1)"
WORKING = "while True: pass"
IDLE_SECONDS = 0.5


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    children = Children(tmp_path)
    yield children
    children.stop()


def started(children: Children, directory: Path, code: str) -> Process:
    return children.start(Process("child", [sys.executable, "-c", code], Log(directory / "log"), is_expendable=True))


class Countdown:
    """A condition that holds when it has been asked so often."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


class TestAProcess:
    def test_that_does_nothing_is_given_up(self, children: Children, tmp_path: Path) -> None:
        process = started(children, tmp_path, IDLE)
        with pytest.raises(LocalError, match="child makes no progress"):
            wait_until(lambda: False, process, children, IDLE_SECONDS)

    def test_that_writes_is_waited_for(self, children: Children, tmp_path: Path) -> None:
        wait_until(Countdown(60), started(children, tmp_path, WRITING), children, IDLE_SECONDS)

    def test_that_works_is_waited_for(
        self, children: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("scripts.local.patience.WORK_SECONDS", 0.01)
        wait_until(Countdown(60), started(children, tmp_path, WORKING), children, IDLE_SECONDS)

    def test_that_ends_is_told(self, children: Children, tmp_path: Path) -> None:
        with pytest.raises(LocalError, match="child ended with exit code 4"):
            wait_until(lambda: False, started(children, tmp_path, "raise SystemExit(4)"), children)
