from pathlib import Path

import pytest

from scripts.local.log import Log

pytestmark = pytest.mark.unit


class TestOutput:
    def test_does_not_control_the_terminal(self, tmp_path: Path) -> None:
        log = Log(tmp_path / "log")
        log.path.write_bytes(b"GET /\x1b]0;owned\x07\x00\x7f\xc2\x9b2J\n")
        assert log.unread() == [r"GET /\u001b]0;owned\u0007\u0000\u007f\u009b2J"]
        assert log.tail() == r"GET /\u001b]0;owned\u0007\u0000\u007f\u009b2J"
