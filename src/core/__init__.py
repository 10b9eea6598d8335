"""Foundations of all layers: settings, clients of the stores, security, and the machinery of handlers.

`config` settings · `stores` SQL, MongoDB, Redis, cache · `storage` S3 · `security` tokens, keys, hashing, rate limits
`injection` resolves handlers' parameters · `routing` routes and permission codes · `tasks` task metadata,
and checks of arguments · `realtime` event bus and declared events · `ops` reports of processes, for an overview ·
`email` mails · `telemetry` traces and error reports · `shutdown` ends a process without losing a request

`resources.py` opens the clients of a process in its lifespan, and makes each request, event or task a `UnitOfWork`:
one transaction, whose `effects` (tasks, events) are sent after its commit. `exceptions.py` has the errors that callers
see. Nothing here imports a layer above.
"""
