import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import httpx2
import structlog

from src.core.oidc.errors import OidcUnavailableError

log = structlog.get_logger(__name__)

MAXIMUM_BYTES = 256 * 1024

# What libraries raise for a response that is not what it should be.
_NONSENSE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


class Contact:
    """Requests to one provider: within a time, up to a size, and without redirects, which could lead anywhere."""

    def __init__(self, provider: str, timeout_seconds: float) -> None:
        self._provider = provider
        self._timeout_seconds = timeout_seconds

    @property
    def options(self) -> dict[str, Any]:
        """Options of a client of httpx2."""
        return {
            "timeout": self._timeout_seconds,
            "follow_redirects": False,
            "verify": _trusted_certificates(),
            "headers": {"Accept-Encoding": "identity"},
            "event_hooks": {"response": [_limit_size]},
        }

    async def get_json(self, endpoint: str, url: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The JSON object at a URL; `endpoint` names it in the log.

        Raises:
            OidcUnavailableError: There is none.
        """
        async with self.asking(endpoint), httpx2.AsyncClient(**self.options) as client:
            response = (await client.get(url, headers=headers)).raise_for_status()
            content: dict[str, Any] = {**response.json()}
        return content

    @asynccontextmanager
    async def asking(self, endpoint: str) -> AsyncIterator[None]:
        """Limit the time of the block, and turn its errors into `OidcUnavailableError`."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                yield
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, *_NONSENSE) as error:
            log.warning("oidc_unavailable", provider=self._provider, endpoint=endpoint, error=type(error).__name__)
            raise OidcUnavailableError from error


async def _limit_size(response: httpx2.Response) -> None:
    """Read the body, up to `MAXIMUM_BYTES`."""
    if response.headers.get("content-encoding", "identity") != "identity":
        # Nobody asked for it, and what it becomes could be of any size.
        raise httpx2.DecodingError("The response is compressed.")
    body, content = response.stream, b""
    assert isinstance(body, httpx2.AsyncByteStream)  # noqa: S101 - of an asynchronous client
    async for chunk in body:
        content += chunk
        if len(content) > MAXIMUM_BYTES:
            raise httpx2.DecodingError("The response is too large.")
    await body.aclose()
    response.stream = httpx2.ByteStream(content)


@cache
def _trusted_certificates() -> ssl.SSLContext:
    """Read once: that takes longer than a request."""
    return httpx2.create_ssl_context()
