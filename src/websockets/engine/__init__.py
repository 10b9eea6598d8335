"""The Socket.IO server: python-socketio with limits, session recovery and connections that can be ended.

`overrides/` holds every override of python-socketio and python-engineio; it delegates to the other files, which know
nothing of those libraries' internals:

    transport opens     UnauthenticatedConnections   counted, closed after a deadline
    CONNECT packet      RateLimiter → Connection → connect handler → SessionRecovery (../recovery)
    EVENT packet        RateLimiter → EventQueue → handler → ack
    emit                LocalManager → Delivery → SendQueue → WebSocketLoops → network
                        RedisManager → EventBus → Subscriber of the other processes → LocalManager
    end of a session    Clients.dismiss, by a timer, a message of another process or Rechecks

Public: `overrides.SocketIOServer` and `overrides.RedisManager`. Knows nothing of this product.
"""
