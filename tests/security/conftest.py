from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from src.main import app
from tests.people import People


@pytest.fixture
async def own_client(people: People) -> AsyncIterator[httpx.AsyncClient]:
    """A client with an address of its own, for counts that outlive a test; `x-test-address` tells it."""
    address = f"test-{uuid4().hex}"
    transport = httpx.ASGITransport(app, client=(address, 1))
    headers = {"x-test-address": address}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield client
