"""What a client has received, from what it says, what it was sent, and when it was there last."""

import pytest

from src.core.realtime.positions import position_at
from src.websockets.recovery import Offset, RecoverableSession
from src.websockets.recovery.session import now

START = Offset(100, "0123abcd", 5)


def session(*, tracks: bool = True, age_seconds: int = 0) -> RecoverableSession:
    session = RecoverableSession.start("sid", "/", "", {"recover": tracks}, START, [])
    session.connected_at -= age_seconds * 1000
    return session


class TestOfClientsWithOffsets:
    def test_is_what_the_offset_says(self) -> None:
        known = session()
        known.last_sent = "300;0123abcd-9"
        known.stop(Offset(400, "0123abcd", 12))
        assert known.receive("200;0123abcd-7", 0)
        assert (known.received.position, known.received.numbers) == (200, {"0123abcd": 7})

    @pytest.mark.parametrize("last_sent", [None, "200;0123abcd-7"])
    def test_is_all_if_it_has_the_last_event(self, last_sent: str | None) -> None:
        known = session()
        known.last_sent = last_sent
        known.stop(Offset(400, "0123abcd", 12))
        assert known.receive("200;0123abcd-7", 0)
        assert (known.received.position, known.received.numbers) == (400, {"0123abcd": 12})

    def test_is_nothing_without_an_offset(self) -> None:
        known = session()
        known.last_sent = "200;0123abcd-7"
        known.stop(Offset(400, "0123abcd", 12))
        assert known.receive(None, 0)
        assert known.received.position == START.position

    def test_keeps_what_earlier_processes_had_sent(self) -> None:
        known = session()
        assert known.receive("200;0123abcd-7", 0)
        known.resume("4567cdef")
        assert known.receive("300;4567cdef-2", 0)
        assert known.received.numbers == {"0123abcd": 7, "4567cdef": 2}

    def test_is_what_was_sent_before_it_was_certainly_there(self) -> None:
        known, alive_at = session(age_seconds=100), now() - 50_000
        assert known.receive(None, alive_at)
        assert known.received_until == position_at(alive_at)

    def test_is_unknown_of_a_time_before_the_connection(self) -> None:
        known = session(age_seconds=10)  # maybe it was replayed older events
        assert known.receive(None, now() - 50_000)
        assert known.received_until == 0


class TestOfOthers:
    def test_is_all_that_was_sent(self) -> None:
        known = session(tracks=False)
        known.last_sent = "300;0123abcd-9"
        known.stop(Offset(400, "0123abcd", 12))
        assert known.receive("any text", 0)
        assert known.received.position == 400

    def test_is_not_what_a_closed_transport_refused_or_nobody_fetched(self) -> None:
        known = session(tracks=False)
        known.refuse(Offset(300, "0123abcd", 9))
        known.stop(Offset(200, "0123abcd", 8))
        assert known.receive(None, 0)
        assert (known.received.position, known.received.numbers) == (200, {"0123abcd": 8})

    def test_is_not_what_was_sent_during_a_silence(self) -> None:
        known, begin = session(tracks=False, age_seconds=100), now() - 10_000
        known.stop(Offset(position_at(now()), "0123abcd", 12))
        known.forget_recent(10)
        assert known.receive(None, 0)
        assert position_at(begin) <= known.received.position <= position_at(now() - 10_000)
        assert known.received.numbers == {"0123abcd": START.number}

    def test_nor_what_was_replayed_then(self) -> None:
        known = session(tracks=False, age_seconds=5)
        known.stop(Offset(position_at(now()), "0123abcd", 12))
        known.forget_recent(10)
        assert known.receive(None, 0)
        assert known.received.position == START.position
