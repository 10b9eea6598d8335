"""Who is where in this process."""

from collections.abc import Sequence
from typing import Any

import socketio
from engineio.packet import MESSAGE, Packet
from socketio.packet import EVENT

from src.core.realtime.event_bus import payload
from src.websockets.engine.engine import enveloped
from src.websockets.recovery.recovery import RecoverableSession


class LocalManager(socketio.AsyncManager):  # type: ignore[misc]  # its base is untyped
    """Reaches the clients of this process, without a task for each of them.

    Attributes:
        trails: By session id, of the clients that may come back when their network breaks.
        undecided: Session ids of clients whose connect handler still runs; what is for everyone is not for them yet.
    """

    is_listening = True

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.trails: dict[str, RecoverableSession] = {}
        self.undecided: set[str] = set()

    async def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Any = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: Any = None,
        offset: str | None = None,
        **options: Any,
    ) -> None:
        """Encode once, and put the packets into each recipient's queue.

        Args:
            event: Its name.
            data: One argument, or a tuple of several.
            namespace: Where its recipients are connected.
            room: The recipients; everyone without it.
            skip_sid: Whom to leave out.
            callback: Takes the acks.
            to: The same as `room`.
            offset: Names the event for those who may come back; who asked for it gets it as one more argument.
            options: Of no interest here.
        """
        if callback:
            await super().emit(event, data, namespace, room, skip_sid, callback, to, **options)
            return
        if namespace not in self.rooms:
            return
        packets = self._packets(event, data, namespace)
        trails = self.trails if offset else {}
        stamped = _stamped(packets, offset) if trails and offset else packets
        skipped = skip_sid if isinstance(skip_sid, list) else [skip_sid]
        post = self.server.eio.post
        room = to or room
        if room is None:
            skipped = [*skipped, *self.undecided]
        for sid, eio_sid in self.get_participants(namespace, room):
            if sid in skipped:
                continue
            trail = trails.get(sid)
            if trail and offset:
                trail.sent.append(offset)
            post(eio_sid, stamped if trail and trail.exact else packets)

    def replay(self, sid: str, eio_sid: str, message: dict[str, Any]) -> None:
        """Send what a client missed, unless it has got it meanwhile."""
        trail, offset = self.trails[sid], message["offset"]
        if offset not in trail.sent:
            packets = self._packets(message["event"], payload(message), message["namespace"])
            trail.sent.append(offset)
            self.server.eio.post(eio_sid, _stamped(packets, offset) if trail.exact else packets)

    async def pre_connect(self, eio_sid: str, namespace: str, sid: str | None = None) -> Any:
        """Let a client in until its connect handler has decided, under the id that it had if nobody has it."""
        if sid is None or self.eio_sid_from_sid(sid, namespace) is not None:
            return await super().pre_connect(eio_sid, namespace)
        self.basic_enter_room(sid, namespace, None, eio_sid=eio_sid)
        self.basic_enter_room(sid, namespace, sid, eio_sid=eio_sid)
        self.pending_connect.setdefault(namespace, []).append(sid)
        return sid

    def basic_enter_room(self, sid: str, namespace: str, room: Any, eio_sid: str | None = None) -> None:
        """Put a client into a room."""
        super().basic_enter_room(sid, namespace, room, eio_sid)
        if room is not None and (trail := self.trails.get(sid)):
            trail.enter(room)

    def basic_leave_room(self, sid: str, namespace: str, room: Any) -> None:
        """Take a client out of a room."""
        super().basic_leave_room(sid, namespace, room)
        if room is not None and (trail := self.trails.get(sid)):
            trail.leave(room)

    def basic_disconnect(self, sid: str, namespace: str, **options: Any) -> None:
        """Forget a client."""
        self.trails.pop(sid, None)
        super().basic_disconnect(sid, namespace, **options)

    async def disconnect_room(self, room: str | Sequence[str], spare: str | None, namespace: str, body: Any) -> None:
        """Tell everyone in a room why, and end their connections, but for those who are in `spare` as well."""
        await self.server.dismiss_room(room, spare, namespace, body)

    async def aclose(self) -> None:
        """Stop what runs in the background."""

    def _packets(self, event: str, data: Any, namespace: str) -> list[Packet]:
        arguments = list(data) if isinstance(data, tuple) else [] if data is None else [data]
        return enveloped(self.server.packet_class(EVENT, namespace=namespace, data=[event, *arguments]))


def _stamped(packets: list[Packet], offset: str) -> list[Packet]:
    """The same packets, with one more argument."""
    first, *attachments = packets
    return [Packet(MESSAGE, f'{first.data[:-1]},"{offset}"]'), *attachments]
