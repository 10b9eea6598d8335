"""The product with an additional event that uses no store: `uvicorn tests.websockets.engine.relay:app`."""

from src.main import app, server

__all__ = ["app"]


@server.on("relay", emits={"relayed": int})
async def relay(number: int) -> int:
    """Broadcast a number."""
    await server.emit("relayed", number)
    return number
