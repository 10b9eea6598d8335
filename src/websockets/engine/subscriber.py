import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from typing import Any

from redis.exceptions import RedisError

from src.core.realtime.event_bus import ATTEMPT_SECONDS, CHANNEL, EventBus, process_channel
from src.utils.cancellation import raise_if_cancelled

_HEARTBEAT_SECONDS = 5
_RETRY_SECONDS = 1


class Subscriber:
    """Receives the messages of other processes; subscribes again when Redis was away.

    Args:
        bus: The bus that they publish on.
        on_subscribed: Called after each subscription: messages before it may have been missed.

    Attributes:
        is_listening: Whether messages arrive; True until the first are asked for.
        position: The end of the stream before the subscription.
    """

    def __init__(self, bus: EventBus, on_subscribed: Callable[[], None]) -> None:
        self.is_listening = True
        self.position = 0
        self._bus = bus
        self._on_subscribed = on_subscribed
        self._attempted = asyncio.Event()

    async def attempted(self) -> None:
        """Wait until the first subscription has begun, or failed."""
        await self._attempted.wait()

    async def messages(self) -> AsyncGenerator[bytes]:
        """Yield messages for ever."""
        while True:
            pubsub = self._bus.redis.pubsub()
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    self.position = await self._bus.last_position()
                    await pubsub.subscribe(CHANNEL, process_channel(self._bus.process))
                self.is_listening = True
                self._on_subscribed()
                self._attempted.set()
                async for message in _receive(pubsub):
                    yield message
            except (RedisError, OSError, TimeoutError) as error:
                self._bus.report_failure(type(error).__name__)
            finally:
                self.is_listening = False
                self._attempted.set()
                await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis leaves it untyped
            raise_if_cancelled()
            await asyncio.sleep(_RETRY_SECONDS * (0.5 + random.random()))  # noqa: S311 - spreads reconnects


async def _receive(pubsub: Any) -> AsyncGenerator[bytes]:
    """Yield messages; pings a silent connection, and raises TimeoutError when the pong does not come either."""
    pinged = False
    while True:
        message = await pubsub.get_message(timeout=_HEARTBEAT_SECONDS)
        raise_if_cancelled()
        if message is not None:
            pinged = False
            if message["type"] == "message":
                yield message["data"]
        elif pinged:
            raise TimeoutError
        else:
            pinged = True
            async with asyncio.timeout(ATTEMPT_SECONDS):
                await pubsub.ping()
