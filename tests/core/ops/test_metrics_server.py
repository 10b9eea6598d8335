import http.client
import socket
from collections.abc import Iterator

import pytest

from src.core.ops.metrics_server import serve_metrics

pytestmark = pytest.mark.unit
TOKEN = "a-token-that-is-long-enough"


def get(port: int, path: str, authorization: str | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Authorization": authorization} if authorization else {})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


@pytest.fixture(params=[None, TOKEN], ids=["open", "with a token"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    server = serve_metrics(0, request.param)
    assert server is not None
    yield server.server_port
    server.shutdown()
    server.server_close()


class TestServing:
    @pytest.mark.parametrize("port", [TOKEN], indirect=True)
    @pytest.mark.parametrize("given", [None, TOKEN, f"Bearer {TOKEN}x", "Bearer ", "Bearer \xe9"])
    def test_nobody_reads_them_without_the_token(self, port: int, given: str | None) -> None:
        assert get(port, "/metrics", given) == (401, "401 Unauthorized")

    @pytest.mark.parametrize("path", ["/metrics", "/metrics?name[]=x"])
    def test_its_owner_reads_them(self, port: int, path: str) -> None:
        assert get(port, path, f"Bearer {TOKEN}")[0] == 200

    def test_nothing_else_is_served(self, port: int) -> None:
        assert get(port, "/", f"Bearer {TOKEN}")[0] == 404

    def test_a_silent_client_holds_nobody_up(self, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port)):
            assert get(port, "/metrics", f"Bearer {TOKEN}")[0] == 200


def test_a_port_that_is_taken_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("", 0)) as taken:
        assert serve_metrics(taken.getsockname()[1]) is None
    assert "metrics_not_served" in capsys.readouterr().out
