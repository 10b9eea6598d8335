"""Socket.IO: events with FastAPI-style handlers, on `server.AsyncServer`.

    event → engine (limits, order of packets) → dispatch → core/injection → handler → ack, or `error` event

`app.py` composes the product's server from `events/`, one file for each resource. Handlers use `params` and `router`;
`testing` has an in-memory client. The machinery knows nothing of this product:

    server, dispatch, registry, router   registration and running of handlers
    errors, limits                       error bodies, resource limits
    engine/                              python-socketio with limits, and all overrides of it
    recovery/                            sessions that survive a network failure
    asyncapi/                            the document of all events
"""
