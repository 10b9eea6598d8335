"""The product, with one event more that asks no store for leave: `uvicorn tests.websockets.relay:app`."""

from src.main import app, server

__all__ = ["app"]


@server.on("relay", emits={"relayed": int})
async def relay(number: int) -> int:
    """Send a number to everybody."""
    await server.emit("relayed", number)
    return number
