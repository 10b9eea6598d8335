"""Calls cross to another thread in order, and wake it once."""

import threading
from collections.abc import Callable

import pytest

from src.queues.pool.callback_mailbox import CallbackMailbox

pytestmark = pytest.mark.unit


def failing() -> None:
    raise ValueError("one task's trouble")


class TestCrossing:
    def test_many_calls_wake_once(self) -> None:
        wakes: list[Callable[[], None]] = []
        crossing, made = CallbackMailbox(wakes.append), list[int]()
        for number in range(5):
            crossing.send(made.append, number)
        assert (len(wakes), made) == (1, [])
        wakes[0]()
        assert made == [0, 1, 2, 3, 4]

    def test_a_call_after_the_round_wakes_again(self) -> None:
        wakes: list[Callable[[], None]] = []
        crossing = CallbackMailbox(wakes.append)
        crossing.send(int)
        wakes[0]()
        crossing.send(int)
        assert len(wakes) == 2

    def test_an_error_does_not_stop_the_others(self) -> None:
        crossing, made = CallbackMailbox(lambda deliver: None), list[int]()
        crossing.send(failing)
        crossing.send(made.append, 1)
        crossing.deliver()
        assert made == [1]

    def test_nothing_is_left_behind_between_threads(self) -> None:
        woken, made = threading.Semaphore(0), list[int]()
        crossing = CallbackMailbox(lambda deliver: woken.release())

        def deliver() -> None:
            while len(made) < 20_000 and woken.acquire(timeout=10):
                crossing.deliver()

        receiver = threading.Thread(target=deliver)
        receiver.start()
        for number in range(20_000):
            crossing.send(made.append, number)
        receiver.join(20)
        assert made == list(range(20_000))
