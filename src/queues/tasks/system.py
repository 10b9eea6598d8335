from src.queues.app import app


@app.task(name="system.ping", requires="POST:/api/v1/schedules")
async def ping() -> str:
    """Return `pong`, to check that broker, worker, event loop and result store work together."""
    return "pong"
