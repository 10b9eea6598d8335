"""Revocation of a permission under load: SECURITY row 34."""

import asyncio
from collections import Counter

import httpx
import pytest

from src.core.resources import Resources
from tests.support.people import People, Person
from tests.support.served import Served
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.slow

NOTICES = "GET:/api/v1/notices"
PATH = "/api/v1/notices"
REVOCATIONS = 20  # 600 are in `scripts/check/attack.py`
READERS = 8


@pytest.fixture
async def reader(resources: Resources) -> Person:
    """A committed user, whom the other process sees."""
    async with resources.unit_of_work() as uow:
        return await People(uow, resources).create(NOTICES)


class TestRow34UnderLoad:
    async def test_no_decision_is_stale(self, served: Served, served_admin: Person, reader: Person) -> None:
        client, admin = served.client, served_admin.headers
        roles = (await client.get(f"/api/v1/users/{reader.user.id}", headers=admin)).json()["data"]["roles"]
        changes, done = 0, False  # odd during a change, when both decisions are right
        settled, are_settled = 0, asyncio.Event()
        expected, wrong, reads = 200, Counter[int](), Counter[int]()

        async def read() -> None:
            while not done:
                begun = changes
                status = (await client.get(PATH, headers=reader.headers)).status_code
                if begun == changes and begun % 2 == 0:
                    reads[status] += 1
                    if reads.total() >= settled:
                        are_settled.set()
                    wrong[status] += status != expected

        readers = [asyncio.create_task(read()) for _ in range(READERS)]
        for _ in range(REVOCATIONS):
            for given in (list[str](), roles):
                changes += 1
                await self.give(client, admin, reader, given)
                expected = 200 if given else 403
                changes += 1
                settled = reads.total() + READERS
                are_settled.clear()
                await asyncio.wait_for(are_settled.wait(), PATIENCE_SECONDS)
        done = True
        await asyncio.gather(*readers)
        assert wrong.total() == 0
        assert min(reads[200], reads[403]) >= REVOCATIONS * READERS

    async def give(self, client: httpx.AsyncClient, admin: dict[str, str], person: Person, roles: list[str]) -> None:
        response = await client.put(f"/api/v1/users/{person.user.id}/roles", json={"roles": roles}, headers=admin)
        assert response.status_code == 200
