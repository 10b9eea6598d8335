"""Who is where: in this process, and through Redis in all of them."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import socketio
import structlog
from engineio import packet as engine_packet
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from socketio.packet import EVENT

from src.websockets.metrics import PUBLISH_FAILURES

log = structlog.get_logger(__name__)

_PUBLISH_SECONDS = 1
_HEARTBEAT_SECONDS = 5
_RETRY_SECONDS = 1


class LocalManager(socketio.AsyncManager):  # type: ignore[misc]  # its base is untyped
    """Reaches the clients of this process, without a task for each of them."""

    is_listening = True

    async def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Any = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: Any = None,
        **options: Any,
    ) -> None:
        """Encode once, and put the packets into each recipient's queue."""
        if callback:
            await super().emit(event, data, namespace, room, skip_sid, callback, to, **options)
            return
        if namespace not in self.rooms:
            return
        arguments = list(data) if isinstance(data, tuple) else [] if data is None else [data]
        encoded = self.server.packet_class(EVENT, namespace=namespace, data=[event, *arguments]).encode()
        parts = encoded if isinstance(encoded, list) else [encoded]
        packets = [engine_packet.Packet(engine_packet.MESSAGE, part) for part in parts]
        skipped = skip_sid if isinstance(skip_sid, list) else [skip_sid]
        post = self.server.eio.post
        for sid, eio_sid in self.get_participants(namespace, to or room):
            if sid not in skipped:
                post(eio_sid, packets)

    async def disconnect_room(self, room: str | Sequence[str], spare: str | None, namespace: str, body: Any) -> None:
        """Tell everyone in a room why, and end their connections, but for those who are in `spare` as well."""
        await self.server.dismiss_room(room, spare, namespace, body)

    async def aclose(self) -> None:
        """Stop what runs in the background."""


class RedisManager(socketio.AsyncRedisManager, LocalManager):  # type: ignore[misc]  # its base is untyped
    """Joins the processes through Redis: local clients are served whatever Redis does, and no caller waits for it long.

    Attributes:
        is_listening: Whether events of other processes arrive.
    """

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self._client = Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_connect_timeout=_PUBLISH_SECONDS)
        self._broken_until = 0.0
        self.thread: asyncio.Task[None] | None = None

    async def disconnect_room(self, room: str | Sequence[str], spare: str | None, namespace: str, body: Any) -> None:
        """Do it here, then in the other processes."""
        await super().disconnect_room(room, spare, namespace, body)
        await self._publish(
            {"method": "disconnect_room", "room": room, "spare": spare, "namespace": namespace, "body": body}
            | {"host_id": self.host_id}
        )

    async def aclose(self) -> None:
        """Stop listening."""
        if self.thread is not None:
            while not self.thread.done():  # Redis's client loses a cancellation that meets it while it connects
                self.thread.cancel()
                await asyncio.wait([self.thread], timeout=_PUBLISH_SECONDS / 10)
            self.thread = None
        await self._client.aclose()

    def initialize(self) -> None:
        """Begin to listen, with the first client."""
        self.is_listening = False
        super().initialize()

    async def _publish(self, data: dict[str, Any]) -> None:
        """Tell the other processes, within a second or not at all: events are hints, the truth is behind REST."""
        try:
            if time.monotonic() < self._broken_until:
                raise ConnectionError("Redis did not answer a moment ago.")
            async with asyncio.timeout(_PUBLISH_SECONDS):
                await self._client.publish(self.channel, self.json.dumps(data))
        except (RedisError, OSError, TimeoutError) as error:
            if time.monotonic() >= self._broken_until:
                self._broken_until = time.monotonic() + _RETRY_SECONDS
                log.warning("publish_failed", reason=type(error).__name__)
            PUBLISH_FAILURES.inc()

    async def _listen(self) -> AsyncIterator[dict[str, Any]]:
        """What other processes published; a connection that says nothing is asked, and replaced when it is dead."""
        while True:
            pubsub = self._client.pubsub(ignore_subscribe_messages=True)
            try:
                async with asyncio.timeout(_PUBLISH_SECONDS):
                    await pubsub.subscribe(self.channel)
                self.is_listening = True
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
            async with asyncio.timeout(_PUBLISH_SECONDS):
                await pubsub.ping()
