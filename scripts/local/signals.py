"""Signals, delivered only while the supervisor waits: a signal never interrupts the start of a child."""

import select
import signal
import socket

from scripts.local.errors import Stopped

STOPPING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class Signals:
    """Keeps a request to stop until the next `pause`."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (*STOPPING, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)

    def pause(self, seconds: float) -> None:
        """Wait that long, or until a child ends.

        Raises:
            Stopped: SIGINT, SIGTERM or SIGHUP arrived.
        """
        if select.select([self._reader], [], [], seconds)[0]:
            arrived = STOPPING.intersection(self._reader.recv(4096))
            if arrived:
                raise Stopped(is_interrupt=arrived == {signal.SIGINT})
