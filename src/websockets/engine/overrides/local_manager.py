from collections.abc import Sequence
from typing import Any

import socketio
from engineio.packet import Packet
from socketio.packet import EVENT

from src.core.realtime.connected_client import ClientList, ConnectedClient
from src.core.realtime.event_data import decode_event_data
from src.websockets.engine.delivery import Delivery, Event, encode
from src.websockets.recovery import Messages, Offset, process_of


class LocalManager(socketio.AsyncManager):  # type: ignore[misc]  # its base is untyped
    """Client manager of one process: tracks rooms, and delivers events to local clients.

    Attributes:
        process: The name by which the other processes know this one; empty if there are none.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.delivery = Delivery()
        self.process = ""

    @property
    def is_listening(self) -> bool:
        """Whether events of other processes arrive; there are none."""
        return True

    async def emit(self, event: str, data: Any, namespace: str, room: Any = None, **options: Any) -> None:
        """python-socketio starts a task for each recipient; without acks none is needed."""
        if options.get("callback"):
            await super().emit(event, data, namespace, room, **options)
        else:
            self.deliver(event, data, namespace, options.get("to") or room, options.get("skip_sid"))

    def deliver(
        self, event: str, data: Any, namespace: str, room: Any, skip_sid: Any, offset: Offset | None = None
    ) -> None:
        """Emit to the clients of this process; `offset` is how far it has come then, if the event is in the stream."""
        before, self.delivery.handled = self.delivery.handled, offset or self.delivery.handled
        if namespace not in self.rooms:
            return
        skip = skip_sid if isinstance(skip_sid, list) else [skip_sid]
        if room is None:
            skip = [*skip, *self.delivery.pending_connects]
        encoded = Event(self._encode(event, data, namespace), namespace, before, offset)
        self.delivery.send(encoded, self.get_participants(namespace, room), self.server.eio.post, skip)

    def release(self, sid: str, eio_sid: str, missed: Messages) -> None:
        """Send the missed events to a client that has returned, then the live events that waited for them."""
        process, before, events = self.delivery.handled.process, Offset(), []
        for position, message in missed:
            packets = self._encode(message["event"], decode_event_data(message), message["namespace"])
            events.append(Event(packets, message["namespace"], before, Offset(position)))
            before = Offset(position)
        own = [message["number"] for _, message in missed if process_of(message) == process]
        self.delivery.release(sid, eio_sid, events, max(own, default=-1), self.server.eio.post)

    async def pre_connect(self, eio_sid: str, namespace: str, sid: str | None = None) -> Any:
        """python-socketio always generates a session id; a recovered session keeps its own, unless it is in use."""
        if sid is None or self.eio_sid_from_sid(sid, namespace) is not None:
            return await super().pre_connect(eio_sid, namespace)
        self.basic_enter_room(sid, namespace, None, eio_sid=eio_sid)
        self.basic_enter_room(sid, namespace, sid, eio_sid=eio_sid)
        self.pending_connect.setdefault(namespace, []).append(sid)
        return sid

    def basic_enter_room(self, sid: str, namespace: str, room: Any, eio_sid: str | None = None) -> None:
        """Recovery needs the time: earlier events of the room are not replayed."""
        super().basic_enter_room(sid, namespace, room, eio_sid)
        if room is None:
            return
        self.server.observe(sid, namespace, room, is_in=True)
        if sid in self.delivery.pending_connects:
            self.delivery.pending_connects[sid].add(room)
        if session := self.delivery.sessions.get(sid):
            session.enter(room, self.delivery.handled)
            self.server.keep(session)

    def basic_leave_room(self, sid: str, namespace: str, room: Any) -> None:
        """Recovery forgets the room."""
        super().basic_leave_room(sid, namespace, room)
        if room is None:
            return
        self.server.observe(sid, namespace, room, is_in=False)
        if sid in self.delivery.pending_connects:
            self.delivery.pending_connects[sid].discard(room)
        if session := self.delivery.sessions.get(sid):
            session.leave(room)
            self.server.keep(session)

    def basic_disconnect(self, sid: str, namespace: str, **options: Any) -> None:
        """Forget the session before its rooms are left: the saved copy keeps them."""
        self.delivery.sessions.pop(sid, None)
        self.delivery.returning.pop(sid, None)
        super().basic_disconnect(sid, namespace, **options)

    async def disconnect_room(self, room: str | Sequence[str], except_room: str | None, namespace: str) -> None:
        """End the sessions of the clients in `room` (or rooms), except those also in `except_room`."""
        await self.server.clients.dismiss_room(room, except_room, namespace)

    async def list_clients(self, room: str | None, limit: int) -> ClientList:
        """Find the clients in the namespace `/`, and in `room` if it is given; at most `limit` of them."""
        return self.own_clients(room, limit)

    def own_clients(self, room: str | None, limit: int) -> ClientList:
        """Find those of this process; one pass over all rooms, whatever the number of clients."""
        known = self.rooms.get("/", {})
        sids = [sid for sid in known.get(room, ()) if self.is_connected(sid, "/")]
        rooms: dict[str, list[str]] = {sid: [] for sid in sids[:limit]}
        for name, members in known.items():
            for sid in members.keys() & rooms.keys():
                if name not in (None, sid):
                    rooms[sid].append(name)
        return ClientList([ConnectedClient(sid, "", sorted(names)) for sid, names in rooms.items()], len(sids))

    async def prepare(self) -> None:
        """Called before a client connects."""

    async def aclose(self) -> None:
        """Stop background tasks."""

    def _encode(self, event: str, data: Any, namespace: str) -> list[Packet]:
        arguments = list(data) if isinstance(data, tuple) else [] if data is None else [data]
        return encode(self.server.packet_class(EVENT, namespace=namespace, data=[event, *arguments]))
