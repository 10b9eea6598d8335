"""What a wait that ends says."""

import sys
import threading
import time
from pathlib import Path

import pytest

from tests.support.process import Process, forget_closed, outputs
from tests.support.waiting import eventually, patience, wait_until

pytestmark = pytest.mark.unit

TALKS = [sys.executable, "-c", "print('ready', flush=True); import time; time.sleep(600)"]
ENDS = [sys.executable, "-c", "import sys; sys.exit('no such setting')"]


class TestAWait:
    def test_returns_the_first_true_answer(self) -> None:
        answers = iter([None, "", "third", "fourth"])
        assert wait_until(lambda: next(answers)) == "third"

    def test_names_the_condition_that_did_not_hold(self) -> None:
        with pytest.raises(AssertionError, match=r"not happen within 0\.01 s \(.*test_waiting\.py:\d+\)"):
            wait_until(lambda: False, seconds=0.01)

    def test_spends_little_on_a_condition_that_computes_for_long(self) -> None:
        polls: list[float] = []

        def compute_for_long() -> None:
            polls.append(time.thread_time())
            while time.thread_time() < polls[-1] + 0.01:
                pass

        with pytest.raises(AssertionError):
            wait_until(compute_for_long, seconds=0.5)
        assert len(polls) < 8

    async def test_may_ask_a_coroutine(self) -> None:
        answers = iter([None, 0, 3])

        async def answer() -> int | None:
            return next(answers)

        assert await eventually(answer) == 3

    async def test_of_a_loop_names_the_condition_as_well(self) -> None:
        with pytest.raises(AssertionError, match=r"not happen within 0 s \(.*test_waiting\.py:\d+\)"):
            await eventually(lambda: False, seconds=0)


class TestPatience:
    def test_grows_with_what_others_compute(self) -> None:
        done = threading.Event()
        others = [threading.Thread(target=compute, args=(done,)) for _ in range(3)]
        for other in others:
            other.start()
        busy = patience()
        done.set()
        assert busy > 1.5


def compute(done: threading.Event) -> None:
    while not done.is_set():
        pass


class TestAProcess:
    def test_is_shown_with_its_output_until_the_test_is_over(self, tmp_path: Path) -> None:
        with Process(TALKS, tmp_path / "log", {}) as process:
            process.wait_for("ready")
        assert (process.command, "ready\n") in outputs()
        forget_closed()
        assert process.command not in dict(outputs())

    def test_that_has_ended_is_not_waited_for(self, tmp_path: Path) -> None:
        with Process(ENDS, tmp_path / "log", {}) as process, pytest.raises(AssertionError, match="exit code 1"):
            process.wait_for("ready")
        assert process.output == "no such setting\n"

    def test_does_not_outlive_its_block(self, tmp_path: Path) -> None:
        with Process(TALKS, tmp_path / "log", {}) as process:
            assert process.code is None
        assert process.code is not None
