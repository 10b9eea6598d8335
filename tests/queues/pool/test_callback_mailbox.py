"""Calls reach the other thread in order, with one wake-up per batch."""

import threading
from collections.abc import Callable

import pytest

from src.queues.pool.callback_mailbox import CallbackMailbox

pytestmark = pytest.mark.unit


def failing() -> None:
    raise ValueError("as planned")


class TestCallbackMailbox:
    def test_many_calls_wake_once(self) -> None:
        wakes: list[Callable[[], None]] = []
        mailbox, calls = CallbackMailbox(wakes.append), list[int]()
        for number in range(5):
            mailbox.send(calls.append, number)
        assert (len(wakes), calls) == (1, [])
        wakes[0]()
        assert calls == [0, 1, 2, 3, 4]

    def test_a_call_after_delivery_wakes_again(self) -> None:
        wakes: list[Callable[[], None]] = []
        mailbox = CallbackMailbox(wakes.append)
        mailbox.send(int)
        wakes[0]()
        mailbox.send(int)
        assert len(wakes) == 2

    def test_an_error_does_not_stop_other_calls(self) -> None:
        mailbox, calls = CallbackMailbox(lambda deliver: None), list[int]()
        mailbox.send(failing)
        mailbox.send(calls.append, 1)
        mailbox.deliver()
        assert calls == [1]

    def test_no_call_is_lost_between_threads(self) -> None:
        woken, calls = threading.Semaphore(0), list[int]()
        mailbox = CallbackMailbox(lambda deliver: woken.release())

        def deliver() -> None:
            while len(calls) < 20_000 and woken.acquire(timeout=10):
                mailbox.deliver()

        receiver = threading.Thread(target=deliver)
        receiver.start()
        for number in range(20_000):
            mailbox.send(calls.append, number)
        receiver.join(20)
        assert calls == list(range(20_000))
