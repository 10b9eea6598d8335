"""Socket.IO: events with FastAPI-style handlers, on `server.AsyncServer`.

    event → engine (limits, order of packets) → dispatch → core/injection → handler → ack, or `error` event

`app.py` composes the product's server from `events/`, one file for each resource. Handlers use `params` and `router`;
`testing` has an in-memory client. The machinery knows nothing of this product:

    server, router, compiled_event, dispatch   registration, compiling and running of handlers
    emitter, presence                    events from any process, and who is in a room
    errors, limits                       error bodies, resource limits
    engine/                              python-socketio with limits, and all overrides of it
    recovery/                            sessions that survive a network failure
    asyncapi/                            the document of all events
"""
