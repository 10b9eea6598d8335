"""Signals, delivered only at the places that wait, so that no child is ever started and then forgotten."""

import select
import signal
import socket

from scripts.local.errors import Stopped

STOPPING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class Signals:
    """From its creation on, a request to stop is kept until the next `pause`."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (*STOPPING, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)

    def pause(self, seconds: float) -> None:
        """Wait, or less when a child ends.

        Raises:
            Stopped: SIGINT, SIGTERM or SIGHUP arrived.
        """
        if select.select([self._reader], [], [], seconds)[0] and STOPPING.intersection(self._reader.recv(4096)):
            raise Stopped
