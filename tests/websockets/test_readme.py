"""The examples of the README, unchanged, on a bare server."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from tests.websockets.conftest import Connect, Host

EXAMPLES = """
from pydantic import BaseModel
from src.websockets.server import AsyncServer
from src.websockets.params import Depends, SID

sio = AsyncServer()


# Define a Pydantic request model
class ChatMessage(BaseModel):
    text: str
    room: str


# Define a dependency (supports async/generator/sync)
async def get_current_user(sid: SID) -> str:
    return f"user_{sid[-4:]}"  # Simulate fetching user info from SID


# Register event with injected dependencies
@sio.on("chat.send")
async def handle_chat(message: ChatMessage, user: str = Depends(get_current_user)):
    print(f"[{user}] sends message to {message.room}: {message.text}")
    await sio.emit("chat.receive", {"user": user, "text": message.text}, room=message.room)


from src.websockets.params import SID, Environ


@sio.event
async def connect(sid: SID, environ: Environ):
    print(f"SID: {sid}, UA: {environ['HTTP_USER_AGENT']}")
"""


@pytest.fixture
def example(tmp_path: Path, host: Host, app: object) -> ModuleType:
    path = tmp_path / "example.py"
    path.write_text(EXAMPLES)
    spec = importlib.util.spec_from_file_location("example", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TestExamples:
    async def test_connect_gets_the_user_agent(
        self, example: ModuleType, host: Host, connect: Connect, capsys: pytest.CaptureFixture[str]
    ) -> None:
        host.app = example.sio.asgi(example.sio.app)
        peer = await connect(headers={"User-Agent": "readme"})
        assert capsys.readouterr().out == f"SID: {peer.client.get_sid()}, UA: readme\n"

    async def test_a_message_reaches_its_room(self, example: ModuleType, host: Host, connect: Connect) -> None:
        host.app = example.sio.asgi(example.sio.app)
        peer = await connect()
        sid = peer.client.get_sid()
        await peer.call("chat.send", {"text": "hello", "room": sid})
        assert await peer.next() == ("/", "chat.receive", {"user": f"user_{sid[-4:]}", "text": "hello"})

    async def test_a_bad_message_is_an_error_event(self, example: ModuleType, host: Host, connect: Connect) -> None:
        host.app = example.sio.asgi(example.sio.app)
        peer = await connect()
        await peer.client.emit("chat.send", {"room": "lobby"})
        _, event, body = await peer.next()
        assert event == "error"
        assert (body["code"], body["event"], body["message"]) == (1007, "chat.send", "Data Validation Error.")
        assert body["data"] == "text field required"
