"""docs/sockets.md and docs/socket-handlers.md: their examples run, and their tables are the code's."""

import importlib.util
import inspect
import re
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import pytest

from src.core.config import settings
from src.core.config.sockets import SocketSettings
from src.main import server
from src.websockets import errors
from src.websockets.app import describe
from tests.docs.readme import ROOT, blocks

PAGE = (ROOT / "docs/sockets.md").read_text()
HANDLERS = (ROOT / "docs/socket-handlers.md").read_text()
EVENTS = (ROOT / "docs/reference/events.md").read_text()
TESTS = re.findall(r"^async def (test_\w+)", HANDLERS, re.MULTILINE)


@pytest.fixture
async def example(tmp_path: Path) -> AsyncIterator[ModuleType]:
    """All blocks as one module."""
    path = tmp_path / "sockets_example.py"
    path.write_text("\n\n".join(blocks("python", HANDLERS)))
    spec = importlib.util.spec_from_file_location("sockets_example", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    await module.sio.shutdown()


class TestTheExamples:
    @pytest.mark.parametrize("name", TESTS)
    async def test_pass(self, example: ModuleType, name: str, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("CRITICAL", "src.websockets.dispatch")
        await getattr(example, name)()

    def test_are_these(self) -> None:
        assert len(TESTS) == 5


class TestTheTables:
    def test_name_every_event(self) -> None:
        rows = re.findall(r"^\| `([\w.]+)` \| (client|server) \|", EVENTS, re.MULTILINE)
        operations = describe(server, settings)["operations"].values()
        sides = {"receive": "client", "send": "server"}
        assert set(rows) == {(operation["title"], sides[operation["action"]]) for operation in operations}

    def test_name_every_code(self) -> None:
        code = r"^\| (\d{4}|4000 \+).*? \|"
        assert re.findall(code, PAGE, re.MULTILINE) == re.findall(code, inspect.getdoc(errors) or "", re.MULTILINE)

    def test_name_every_setting(self) -> None:
        fields = {str(field.alias) for field in SocketSettings.model_fields.values()}
        assert set(re.findall(r"`(SOCKETIO_\w+)`", PAGE)) == fields

    def test_name_every_metric(self) -> None:
        code = (ROOT / "src/websockets/engine/metrics.py").read_text()
        assert set(re.findall(r"`(socketio_\w+)`", PAGE)) == set(re.findall(r'"(socketio_\w+)"', code))
