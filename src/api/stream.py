from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send
from typing_extensions import override


class Stream(StreamingResponse):
    """Chunks on their way to a client; closes their source at once when the client goes away."""

    def __init__(self, chunks: AsyncGenerator[bytes, None], status: int, headers: Mapping[str, str]) -> None:
        super().__init__(chunks, status, headers)
        self._chunks = chunks

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._chunks):
            await super().__call__(scope, receive, send)
