"""The MinIO SDK in threads. Import this in a thread, at the first use: it takes a third of a second."""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar
from xml.etree.ElementTree import ParseError

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, S3Error, ServerError
from typing_extensions import override
from urllib3.exceptions import HTTPError

from src.core.config.files import S3Settings
from src.core.exceptions import BadRequestError, NotFoundError, ServiceUnavailableError

T = TypeVar("T")

_NOT_FOUND = {"NoSuchKey", "NoSuchUpload"}
_WRONG_PARTS = {"InvalidPart", "InvalidPartOrder", "EntityTooSmall"}
# The server responds, but refuses our credentials or lacks the bucket.
_UNUSABLE = {"AccessDenied", "InvalidAccessKeyId", "NoSuchBucket", "RequestTimeTooSkewed", "SignatureDoesNotMatch"}
_THREADS = 8


class MinioClient:
    """Runs calls of the SDK, which blocks, in a thread pool, and translates its errors.

    Attributes:
        s3: Talks to the server; use it within `run`.
        signer: Signs URLs for browsers, by the public endpoint; it never connects.
    """

    def __init__(self, settings: S3Settings) -> None:
        self._timeout_seconds = settings.timeout_seconds
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="s3")
        self._pool = urllib3.PoolManager(
            maxsize=_THREADS,  # connections that are kept
            timeout=urllib3.Timeout(connect=settings.timeout_seconds, read=settings.timeout_seconds),
            retries=_RetryOnce(total=1, redirect=0),
        )
        self.s3 = Minio(**settings.client_options(), http_client=self._pool)
        self.signer = Minio(**settings.client_options(public=True))

    async def run(self, call: Callable[[Self], T]) -> T:
        """Run `call` in a thread, and return its result.

        Raises:
            NotFoundError: There is no such object or upload.
            BadRequestError: The parts of an upload do not match.
            ServiceUnavailableError: The server is down, slow, failing or misconfigured.
        """
        future = self._executor.submit(contextvars.copy_context().run, call, self)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await asyncio.wrap_future(future)
        except Exception as error:
            if translated := _translated(error):
                raise translated from error
            raise

    def submit(self, function: Callable[[], object]) -> None:
        """Run a function in a thread, without waiting for it."""
        self._executor.submit(function)

    def create_bucket(self, name: str) -> None:
        """Create the bucket if it does not exist; another process may do so at the same moment."""
        if self.s3.bucket_exists(name):
            return
        try:
            self.s3.make_bucket(name)
        except S3Error as error:
            if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise

    def close(self) -> None:
        """End the threads, and close the connections."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._pool.clear()


class _RetryOnce(urllib3.Retry):
    """Repeats a request whose kept connection the server had closed; never after a timeout."""

    @override
    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: urllib3.BaseHTTPResponse | None = None,
        error: Exception | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Self:
        if isinstance(error, urllib3.exceptions.TimeoutError):
            raise error
        return super().increment(method, url, response, error, *args, **kwargs)


def _translated(error: Exception) -> Exception | None:
    """Our error for one of the SDK's, None if there is none."""
    # The third is a page of HTML, which comes from a proxy, the fourth a body without length that was cut off.
    if isinstance(error, (HTTPError, ServerError, InvalidResponseError, ParseError, TimeoutError)):
        return ServiceUnavailableError(store="s3")
    if not isinstance(error, S3Error):
        return None
    if error.code in _NOT_FOUND:
        return NotFoundError()
    if error.code in _WRONG_PARTS:
        return BadRequestError("A part is missing or differs from the uploaded one.", error="file.wrong_parts")
    unusable = error.response.status >= 500 or error.code in _UNUSABLE
    return ServiceUnavailableError(store="s3") if unusable else None
