from src.queues.app import app


@app.task(name="system.ping")
async def ping() -> str:
    """Answer: proves that broker, worker, loop and result store work together."""
    return "pong"
