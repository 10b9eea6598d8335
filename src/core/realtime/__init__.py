"""Events to browsers, from any process.

`EventBus` publishes messages over Redis to the Socket.IO servers of all processes; web processes use it through
`websockets.engine.overrides.RedisManager`, workers through `queues.emitter.RedisEmitter`. `EventRegistry` holds the
declared events and their payload types, `client_list` asks all servers who is connected. None of them knows anything of
this product; `rooms.py` names its rooms.
"""
