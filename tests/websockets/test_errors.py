"""Errors are sent as the ack and as an `error` event, with the same body."""

import logging
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel

from src.core.exceptions import AppError, ConflictError, InvalidInputError, PermissionDeniedError, UnauthorizedError
from src.websockets.server import AsyncServer
from tests.websockets.conftest import Connect, Host


class Message(BaseModel):
    text: str


def fail_with(sio: AsyncServer, error: Exception) -> None:
    @sio.on("fail")
    async def handler() -> None:
        raise error


class TestBadPayload:
    async def test_is_an_ack_and_an_error_event(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("chat.send")
        async def handler(message: Message) -> None: ...

        peer = await connect()
        ack = await peer.call("chat.send", {})
        assert ack == {
            "code": 1007,
            "event": "chat.send",
            "message": "Data Validation Error.",
            "data": "text field required",
            "errors": [{"field": "text", "message": "Field required", "type": "missing"}],
        }
        assert await peer.next() == ("/", "error", ack)

    @pytest.mark.parametrize("sent", ["text", 5, [1], b"raw", None, ({"text": "a"}, 2)])
    async def test_of_another_json_type_has_its_own_code(self, sio: AsyncServer, connect: Connect, sent: Any) -> None:
        @sio.on("chat.send")
        async def handler(message: Message) -> None: ...

        assert (await (await connect()).call("chat.send", sent))["code"] == 1003


class TestDomainError:
    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (UnauthorizedError(), 1008),
            (PermissionDeniedError(), 1008),
            (ConflictError(), 4409),
            (HTTPException(403, "No."), 1008),
            (HTTPException(404, {"id": 7}), 4404),
        ],
    )
    async def test_has_a_code_by_its_status(
        self, sio: AsyncServer, connect: Connect, error: Exception, code: int
    ) -> None:
        fail_with(sio, error)
        assert (await (await connect()).call("fail"))["code"] == code

    async def test_carries_its_stable_name_and_its_data(self, sio: AsyncServer, connect: Connect) -> None:
        fail_with(sio, ConflictError("Taken.", error="user.taken", data={"id": 7}))
        peer = await connect()
        ack = await peer.call("fail")
        assert ack == {"code": 4409, "event": "fail", "message": "Taken.", "data": {"id": 7}, "error": "user.taken"}
        assert await peer.next() == ("/", "error", ack)

    async def test_of_invalid_input_looks_like_a_validation_error(self, sio: AsyncServer, connect: Connect) -> None:
        fail_with(sio, InvalidInputError("room", "is closed"))
        body = await (await connect()).call("fail")
        assert (body["code"], body["data"]) == (1007, "room is closed")
        assert body["errors"][0]["field"] == "room"

    async def test_of_a_dependency_is_reported_like_one_of_the_handler(
        self, sio: AsyncServer, connect: Connect
    ) -> None:
        async def guard() -> None:
            raise PermissionDeniedError

        @sio.on("guarded", dependencies=[Depends(guard)])
        async def handler() -> None: ...

        assert (await (await connect()).call("guarded"))["code"] == 1008


class TestExplaining:
    @pytest.fixture
    def sio(self, host: Host, app: FastAPI) -> AsyncServer:
        """A server that maps `OSError`."""
        server = AsyncServer(translate_error=lambda error: ConflictError() if isinstance(error, OSError) else None)
        host.app = server.asgi(app)
        return server

    async def test_maps_the_error_of_a_library(self, sio: AsyncServer, connect: Connect) -> None:
        fail_with(sio, OSError("secret"))
        assert (await (await connect()).call("fail"))["code"] == 4409

    async def test_maps_errors_of_the_connect_handler(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("connect")
        async def handler() -> None:
            raise OSError("secret")

        _, event, body = await (await connect(wait=False)).next()
        assert (event, body["data"]["code"]) == ("connect_error", 4409)

    async def test_leaves_other_errors_unchanged(self, sio: AsyncServer, connect: Connect) -> None:
        fail_with(sio, HTTPException(404))
        assert (await (await connect()).call("fail"))["code"] == 4404


class TestUnexpectedError:
    @pytest.fixture(autouse=True)
    def _quiet(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.ERROR, "src.websockets.dispatch")

    async def test_is_reported_without_its_text(self, sio: AsyncServer, connect: Connect) -> None:
        fail_with(sio, RuntimeError("secret"))
        assert await (await connect()).call("fail") == {
            "code": 1011,
            "event": "fail",
            "message": "Internal Server Error.",
            "data": None,
        }

    async def test_is_logged_with_its_traceback(
        self, sio: AsyncServer, connect: Connect, caplog: pytest.LogCaptureFixture
    ) -> None:
        fail_with(sio, RuntimeError("secret"))
        await (await connect()).call("fail")
        [record] = [record for record in caplog.records if record.name == "src.websockets.dispatch"]
        assert record.exc_info
        assert isinstance(record.exc_info[1], RuntimeError)

    async def test_a_result_that_cannot_be_serialized_is_one(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("fail")
        async def handler() -> Any:
            return object()

        assert (await (await connect()).call("fail"))["code"] == 1011

    async def test_an_error_that_cannot_be_serialized_is_one(self, sio: AsyncServer, connect: Connect) -> None:
        fail_with(sio, ConflictError(data=object()))
        assert (await (await connect()).call("fail"))["code"] == 1011

    async def test_a_generator_sees_the_error_and_rolls_back(self, sio: AsyncServer, connect: Connect) -> None:
        log: list[str] = []

        async def transaction() -> Any:
            try:
                yield
                log.append("commit")
            except AppError:
                log.append("rollback")
                raise

        @sio.on("fail")
        async def handler(value: Annotated[None, Depends(transaction)]) -> None:
            raise ConflictError

        assert (await (await connect()).call("fail"))["code"] == 4409
        assert log == ["rollback"]
