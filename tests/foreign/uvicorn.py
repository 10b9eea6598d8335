from tests.foreign.internal import Internal

ABORT = "Aborts a connection whose client does not read; ASGI has no message for that."
ENGINE_FILE = ("src/websockets/engine/overrides/engine.py",)

INTERNALS = [
    Internal(f"uvicorn.protocols.{protocol}", "transport", ABORT, ENGINE_FILE)
    for protocol in (
        "websockets.websockets_sansio_impl:WebSocketsSansIOProtocol",
        "http.httptools_impl:RequestResponseCycle",
        "http.h11_impl:RequestResponseCycle",
    )
]
