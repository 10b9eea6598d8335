import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from src.core.config.files import S3Settings

if TYPE_CHECKING:
    from src.core.storage.minio_client import MinioClients

T = TypeVar("T")

THREADS = 8


class MinioCalls:
    """Calls of the MinIO SDK, which blocks, in threads of their own; its errors become ours.

    The first call imports the SDK, in its thread: a process that is never asked for files does without it.
    """

    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings
        # A call is one exchange with the server, at most two when the connection was stale.
        self._patience = 2 * settings.timeout_seconds
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="s3")
        self._opening = asyncio.Lock()
        self._clients: MinioClients | None = None

    async def run(self, call: "Callable[[MinioClients], T]") -> T:
        """What the call returns.

        Raises:
            NotFoundError: There is no such object or upload.
            BadRequestError: The parts of an upload do not fit.
            ServiceUnavailableError: The server is away or has a fault. `TimeoutError` when it is slow.
        """
        clients = self._clients or await self._open()
        from src.core.storage.minio_client import translated

        future = self._executor.submit(call, clients)
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.wrap_future(future)
        except Exception as error:
            raise translated(error) or error from error

    def launch(self, function: Callable[[], object]) -> None:
        """Call a function some time soon, without waiting for it."""
        self._executor.submit(function)

    def close(self) -> None:
        """Let the threads and the connections go."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        if self._clients is not None:
            self._clients.close()

    async def _open(self) -> "MinioClients":
        async with self._opening:
            if self._clients is None:
                self._clients = await asyncio.wrap_future(self._executor.submit(self._load))
        return self._clients

    def _load(self) -> "MinioClients":
        from src.core.storage.minio_client import MinioClients

        return MinioClients(self._settings)
