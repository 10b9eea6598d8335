"""Connection state recovery: after a network failure a client gets its session id, rooms and missed events back.

    client connects     SessionStore: the session (rooms) goes to Redis if the client tracks offsets, and is renewed
    event is sent       Offset, with the event: how far the process has come, and so what the client has received
    connection breaks   SessionStore.save: the session, with the last offset
    client reconnects   SessionRecovery.take: by the private session id, once, for the same principal
                        SessionRecovery.restore: rooms, then the missed events, read by StreamReader;
                        meanwhile live events wait (engine/delivery.py)
    process is killed   the same, by the client's offset

What the stream keeps, and for how long, is decided where events are published: core/realtime/event_bus.py.

Public: `SessionRecovery`, for the `recovery` argument of `AsyncServer`. Knows nothing of this product.
"""

from src.websockets.recovery.progress import Messages, Offset, process_of
from src.websockets.recovery.session import RecoverableSession
from src.websockets.recovery.session_recovery import MAX_MISSED_EVENTS, SessionRecovery

__all__ = ["MAX_MISSED_EVENTS", "Messages", "Offset", "RecoverableSession", "SessionRecovery", "process_of"]
