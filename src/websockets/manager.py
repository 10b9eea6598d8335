"""Who is where: in this process, and through Redis in all of them."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import socketio
import structlog
from engineio.packet import MESSAGE, Packet
from redis.exceptions import RedisError
from socketio.packet import EVENT

from src.core.socket_channel import ATTEMPT_SECONDS, CHANNEL, ChannelError, SocketChannel, payload
from src.websockets.engine import enveloped
from src.websockets.metrics import PUBLISH_FAILURES
from src.websockets.recovery import Trail

log = structlog.get_logger(__name__)

_HEARTBEAT_SECONDS = 5
_RETRY_SECONDS = 1


class LocalManager(socketio.AsyncManager):  # type: ignore[misc]  # its base is untyped
    """Reaches the clients of this process, without a task for each of them.

    Attributes:
        trails: By session id, of the clients that may come back when their network breaks.
    """

    is_listening = True

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.trails: dict[str, Trail] = {}

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
            offset: Names the event for those who may come back; they get it as one more argument.
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
        for sid, eio_sid in self.get_participants(namespace, to or room):
            if sid in skipped:
                continue
            if offset and sid in trails:
                trails[sid].sent.append(offset)
                post(eio_sid, stamped)
            else:
                post(eio_sid, packets)

    def replay(self, sid: str, eio_sid: str, message: dict[str, Any]) -> None:
        """Send what a client missed, unless it has got it meanwhile."""
        trail, offset = self.trails[sid], message["offset"]
        if offset not in trail.sent:
            packets = self._packets(message["event"], payload(message), message["namespace"])
            trail.sent.append(offset)
            self.server.eio.post(eio_sid, _stamped(packets, offset))

    async def pre_connect(self, eio_sid: str, namespace: str, sid: str | None = None) -> Any:
        """Let a client in until its connect handler has decided, under the id that it had if nobody has it."""
        if sid is None or self.eio_sid_from_sid(sid, namespace) is not None:
            return await super().pre_connect(eio_sid, namespace)
        self.basic_enter_room(sid, namespace, None, eio_sid=eio_sid)
        self.basic_enter_room(sid, namespace, sid, eio_sid=eio_sid)
        self.pending_connect.setdefault(namespace, []).append(sid)
        return sid

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


class RedisManager(socketio.AsyncRedisManager, LocalManager):  # type: ignore[misc]  # its base is untyped
    """Joins the processes through Redis: local clients are served whatever Redis does, and no caller waits for it long.

    Attributes:
        is_listening: Whether events of other processes arrive.
    """

    def __init__(self, channel: SocketChannel) -> None:
        super().__init__(channel=CHANNEL)
        self._bus = channel
        self.host_id = channel.sender
        self.thread: asyncio.Task[None] | None = None

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
        """Emit here, then in the other processes."""
        if callback or options.get("ignore_queue"):
            await super().emit(event, data, namespace, room, skip_sid, callback, to, **options)
            return
        message = self._bus.emit(event, data, namespace, to or room, skip_sid)
        await LocalManager.emit(self, event, data, namespace, to or room, skip_sid, offset=message["offset"])
        await self._publish(message)

    async def disconnect_room(self, room: str | Sequence[str], spare: str | None, namespace: str, body: Any) -> None:
        """Do it here, then in the other processes."""
        await super().disconnect_room(room, spare, namespace, body)
        await self._publish(self._bus.disconnect(room, spare, body, namespace))

    async def aclose(self) -> None:
        """Stop listening."""
        while self.thread is not None:
            self.thread.cancel()  # again, if need be: while it subscribes, redis swallows it
            if (await asyncio.wait([self.thread], timeout=0.1))[0]:
                self.thread = None
        await self._bus.redis.aclose()

    def initialize(self) -> None:
        """Begin to listen, with the first client."""
        self.is_listening = False
        super().initialize()

    async def _publish(self, data: dict[str, Any]) -> None:
        """Tell the other processes, within a second or not at all."""
        try:
            await self._bus.publish(data)
        except ChannelError:
            PUBLISH_FAILURES.inc()

    async def _listen(self) -> AsyncIterator[dict[str, Any]]:
        """What other processes published; a connection that says nothing is asked, and replaced when it is dead."""
        is_first = True
        while True:
            pubsub = self._bus.redis.pubsub(ignore_subscribe_messages=True)
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    await pubsub.subscribe(self.channel)
                self.is_listening = True
                if not is_first:
                    self.server.resume()
                is_first = False
                async for message in _messages(pubsub):
                    if (data := await self._own(message)) is not None:
                        yield data
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("subscription_lost", reason=type(error).__name__)
            finally:
                self.is_listening = False
                await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis leaves it untyped
            await asyncio.sleep(_RETRY_SECONDS * (0.5 + random.random()))  # noqa: S311 - spreads reconnects

    async def _own(self, message: bytes) -> dict[str, Any] | None:
        """Do what python-socketio does not know; the rest is its own."""
        try:
            data: dict[str, Any] = self.json.loads(message)
            if data["method"] != "disconnect_room":
                return data
            if data["host_id"] != self.host_id:
                await super().disconnect_room(data["room"], data["spare"], data["namespace"], data["body"])
        except (KeyError, TypeError, json.JSONDecodeError):
            log.warning("message_not_understood")
        return None

    async def _handle_emit(self, message: dict[str, Any]) -> None:
        """Emit here what another process emitted."""
        if message.get("callback"):
            await super()._handle_emit(message)
            return
        namespace, room, skipped = message.get("namespace") or "/", message.get("room"), message.get("skip_sid")
        offset = message.get("offset")
        await LocalManager.emit(self, message["event"], payload(message), namespace, room, skipped, offset=offset)


def _stamped(packets: list[Packet], offset: str) -> list[Packet]:
    """The same packets, with one more argument."""
    first, *attachments = packets
    return [Packet(MESSAGE, f'{first.data[:-1]},"{offset}"]'), *attachments]


async def _messages(pubsub: Any) -> AsyncIterator[bytes]:
    asked = False
    while True:
        message = await pubsub.get_message(timeout=_HEARTBEAT_SECONDS)
        if message is not None:
            asked = False
            if message["type"] == "message":
                yield message["data"]
        elif asked:
            raise TimeoutError
        else:
            asked = True
            async with asyncio.timeout(ATTEMPT_SECONDS):
                await pubsub.ping()
