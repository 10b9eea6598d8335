import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from minio.error import S3Error, ServerError

from src.core.exceptions import BadRequestError, NotFoundError, ServiceUnavailableError

T = TypeVar("T")

THREADS = 8
GONE = {"NoSuchKey", "NoSuchUpload"}
WRONG_PARTS = {"InvalidPart", "InvalidPartOrder", "EntityTooSmall"}


class MinioCalls:
    """Calls of the MinIO SDK, which block, in threads of their own; its errors become ours."""

    def __init__(self, timeout_seconds: float) -> None:
        # A call is one exchange with the server, at most two when the connection was stale.
        self._patience = 2 * timeout_seconds
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="s3")

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """What the function returns.

        Raises:
            NotFoundError: There is no such object or upload.
            BadRequestError: The parts of an upload do not fit.
            ServiceUnavailableError: The server has a fault. `TimeoutError` when it is slow.
        """
        future = self._executor.submit(function, *args)
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.wrap_future(future)
        except S3Error as error:
            raise _translated(error) or error from error
        except ServerError as error:
            raise ServiceUnavailableError from error

    def launch(self, function: Callable[[], object]) -> None:
        """Call a function some time soon, without waiting for it."""
        self._executor.submit(function)

    def close(self) -> None:
        """Let the threads go."""
        self._executor.shutdown(wait=True, cancel_futures=True)


def _translated(error: S3Error) -> Exception | None:
    if error.code in GONE:
        return NotFoundError()
    if error.code in WRONG_PARTS:
        return BadRequestError("A part is missing, or another than was sent.", error="file.wrong_parts")
    return ServiceUnavailableError() if error.response.status >= 500 else None
