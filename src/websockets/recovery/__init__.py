"""Connection state recovery: after a network failure a client gets its session id, rooms and missed events back.

    client connects     SessionStore: the session (rooms) goes to Redis if the client tracks offsets, and is renewed
    connection breaks   SessionStore.save: the session, with the offsets of what was sent
    client reconnects   SessionRecovery.take: by the private session id, once, for the same principal
                        SessionRecovery.restore: rooms, then the missed events, read by StreamReader;
                        meanwhile live events wait (engine/delivery.py)
    process is killed   killed_process: what it had sent, from the client's offset

Public: `SessionRecovery`, for the `recovery` argument of `AsyncServer`. Knows nothing of this product.
"""

from src.websockets.recovery.session import RecoverableSession
from src.websockets.recovery.session_recovery import MAX_MISSED_EVENTS, SessionRecovery

__all__ = ["MAX_MISSED_EVENTS", "RecoverableSession", "SessionRecovery"]
