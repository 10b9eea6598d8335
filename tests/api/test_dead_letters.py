"""Dead letters are listed, returned to their queues, and dropped; nothing else is touched."""

import json
from collections.abc import Iterator
from inspect import signature
from typing import Any
from uuid import uuid4

import httpx
import pytest
from kombu import Producer
from redis import Redis

from src.core.config import settings
from src.core.resources import Resources
from src.core.tasks.info import TaskInfo
from src.core.tasks.run_event import MALFORMED_STREAM
from src.queues.app import app
from src.queues.broker.malformed import DEAD_LETTERS, MALFORMED_KEY
from src.queues.publisher import CeleryPublisher
from tests.support.people import People, Person

PATH = "/api/v1/tasks/dead-letters"
RETRY = (f"POST:{PATH}/{{letterId}}/retry", f"POST:{PATH}/retry")


class Letters:
    """The queue of dead letters, and a queue that they come from and no worker reads."""

    def __init__(self) -> None:
        self.queue = f"test:{uuid4()}"
        self.redis = Redis.from_url(str(settings.CELERY_REDIS_URL), decode_responses=True)

    def add(self, task: str, *args: Any, priority: int = 0, queue: str | None = "", **headers: Any) -> str:
        """Keep a message as workers do; returns the id of its run."""
        headers = {"task": task, "id": str(uuid4()), "dead_letter_of": self.queue if queue == "" else queue, **headers}
        with app.connection_for_write() as connection:
            Producer(connection).publish(
                [args, {}, {}],
                exchange="",
                routing_key=DEAD_LETTERS,
                serializer="json",
                priority=priority,
                headers=headers,
            )
        return str(headers["id"])

    def returned(self) -> list[Any]:
        """The messages that have returned to the queue, oldest first."""
        return [json.loads(message) for message in reversed(self.redis.lrange(self.queue, 0, -1))]

    def clear(self) -> None:
        keys: Any = self.redis.keys(f"{DEAD_LETTERS}*")
        self.redis.delete("none", *keys, self.queue, MALFORMED_KEY)


@pytest.fixture
def letters() -> Iterator[Letters]:
    letters = Letters()
    letters.clear()
    yield letters
    letters.clear()


async def listed(client: httpx.AsyncClient, admin: Person, **query: Any) -> Any:
    response = await client.get(PATH, headers=admin.headers, params=query)
    assert response.status_code == 200, response.text
    return response.json()["data"]


class TestList:
    async def test_shows_the_newest_first_without_secrets(
        self, client: httpx.AsyncClient, admin: Person, letters: Letters
    ) -> None:
        letters.add("a", 1)
        run = letters.add("b", {"password": "x"}, queued_at="2026-01-01T00:00:00+00:00")
        page = await listed(client, admin)
        assert [letter["task"] for letter in page["records"]] == ["b", "a"]
        assert page["total"] == 2
        newest = page["records"][0]
        assert (newest["taskId"], newest["queue"], newest["args"]) == (run, letters.queue, [{"password": "***"}])
        assert newest["queuedAt"] == "2026-01-01T00:00:00Z"

    async def test_masks_what_a_parameter_says_is_secret(
        self, client: httpx.AsyncClient, admin: Person, letters: Letters, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def catalog(_: CeleryPublisher) -> dict[str, TaskInfo]:
            return {"a": TaskInfo("a", "", signature(lambda user, token: None))}

        monkeypatch.setattr(CeleryPublisher, "catalog", catalog)
        letters.add("a", 1, "x", "more")
        assert (await listed(client, admin))["records"][0]["args"] == [1, "***", "more"]

    async def test_replaces_what_is_no_text(self, client: httpx.AsyncClient, admin: Person, letters: Letters) -> None:
        letters.add("a", "\ud800", queued_at="2026-01-01T00:00:00")
        letters.add("\ud800", queue="\ud800")
        first, second = (await listed(client, admin))["records"]
        assert (first["task"], first["queue"], second["args"]) == (None, None, ["?"])

    @pytest.mark.parametrize("argument", ["x" * 20_000, json.loads("[" * 300 + "]" * 300)], ids=["large", "nested"])
    async def test_leaves_out_what_is_too_much(
        self, client: httpx.AsyncClient, admin: Person, letters: Letters, argument: Any
    ) -> None:
        run = letters.add("gone", argument)
        [letter] = (await client.get(PATH, headers=admin.headers)).json()["data"]["records"]
        assert (letter["taskId"], letter["args"], letter["kwargs"]) == (run, None, None)

    async def test_leads_through_pages_and_priorities(
        self, client: httpx.AsyncClient, admin: Person, letters: Letters
    ) -> None:
        for number in range(5):
            letters.add(str(number), priority=3 * (number % 2))
        pages = [await listed(client, admin, page=page, pageSize=2) for page in (1, 2, 3)]
        assert {row["task"] for page in pages for row in page["records"]} == {"0", "1", "2", "3", "4"}
        assert [len(page["records"]) for page in pages] == [2, 2, 1]

    async def test_filters(self, client: httpx.AsyncClient, admin: Person, letters: Letters) -> None:
        letters.add("a")
        letters.add("b", queue="other")
        for query in ({"task": "a"}, {"queue": letters.queue}):
            page = await listed(client, admin, **query)
            assert ([row["task"] for row in page["records"]], page["total"]) == (["a"], 1)

    async def test_survives_whatever_is_in_the_queue(
        self, client: httpx.AsyncClient, admin: Person, letters: Letters
    ) -> None:
        for text in ("", "x", "[]", "{}", json.dumps({"headers": 1}), json.dumps({"headers": {"queued_at": "soon"}})):
            letters.redis.lpush(DEAD_LETTERS, text)
        page = await listed(client, admin)
        assert [row["task"] for row in page["records"]] == [None] * 6
        response = await client.post(f"{PATH}/{page['records'][0]['id']}/retry", headers=admin.headers)
        assert response.status_code == 404


class TestRetry:
    async def test_returns_the_message_to_its_queue(
        self, client: httpx.AsyncClient, admin: Person, letters: Letters
    ) -> None:
        run = letters.add("a", 1, expires="2026-01-01T00:00:00+00:00", kept="yes")
        url = f"{PATH}/{(await listed(client, admin))['records'][0]['id']}/retry"
        statuses = [(await client.post(url, headers=admin.headers)).status_code for _ in range(2)]
        (message,) = letters.returned()
        assert (statuses, message["headers"]) == ([200, 404], {"task": "a", "id": run, "kept": "yes"})
        assert message["properties"]["delivery_info"]["routing_key"] == letters.queue

    async def test_of_many_keeps_their_order(self, client: httpx.AsyncClient, admin: Person, letters: Letters) -> None:
        runs = [letters.add("a", number) for number in range(3)]
        letters.add("b")
        response = await client.post(f"{PATH}/retry", headers=admin.headers, json={"task": "a"})
        assert response.json()["data"] == {"count": 3}
        assert [message["headers"]["id"] for message in letters.returned()] == runs
        assert [row["task"] for row in (await listed(client, admin))["records"]] == ["b"]

    async def test_needs_the_permission_of_the_task(
        self, client: httpx.AsyncClient, people: People, admin: Person, letters: Letters
    ) -> None:
        letters.add("notices.announce", "x")
        letters.add("outbox.relay")
        clerk = await people.create(*RETRY)
        refused = await client.post(f"{PATH}/retry", headers=clerk.headers, json={"queue": letters.queue})
        internal = await client.post(f"{PATH}/retry", headers=clerk.headers, json={"task": "outbox.relay"})
        assert (refused.status_code, refused.json()["error"]) == (403, "tasks.not_yours_to_start")
        assert (internal.json()["data"], len(letters.returned())) == ({"count": 1}, 1)

    async def test_stays_readable(self, client: httpx.AsyncClient, admin: Person, letters: Letters) -> None:
        letters.add("a", 7)
        await client.post(f"{PATH}/retry", headers=admin.headers, json={"task": "a"})
        with app.connection_for_read() as connection:
            message: Any = connection.default_channel.basic_get(letters.queue, no_ack=True)  # type: ignore[attr-defined]  # missing from the stubs
        assert message.decode()[0] == [7]


class TestDrop:
    async def test_of_one(self, client: httpx.AsyncClient, admin: Person, letters: Letters) -> None:
        letters.add("a")
        url = f"{PATH}/{(await listed(client, admin))['records'][0]['id']}"
        statuses = [(await client.delete(url, headers=admin.headers)).status_code for _ in range(2)]
        assert (statuses, letters.returned(), letters.redis.llen(DEAD_LETTERS)) == ([200, 404], [], 0)

    async def test_of_many(self, client: httpx.AsyncClient, admin: Person, letters: Letters) -> None:
        for name in ("a", "b", "a"):
            letters.add(name)
        response = await client.post(f"{PATH}/drop", headers=admin.headers, json={"task": "a"})
        assert (response.json()["data"], letters.redis.llen(DEAD_LETTERS)) == ({"count": 2}, 1)

    async def test_of_all_takes_a_filter(self, client: httpx.AsyncClient, admin: Person) -> None:
        assert (await client.post(f"{PATH}/drop", headers=admin.headers, json={})).status_code == 422


class TestMalformed:
    async def test_messages_and_run_events_are_counted(
        self, client: httpx.AsyncClient, admin: Person, letters: Letters, resources: Resources
    ) -> None:
        await resources.redis.delete(MALFORMED_STREAM)
        letters.redis.lpush(MALFORMED_KEY, "{", b"\xff")
        await resources.redis.xadd(MALFORMED_STREAM, {"event": "x"})
        response = await client.get("/api/v1/tasks/malformed", headers=admin.headers)
        assert response.json()["data"] == [
            {"source": "messages", "total": 2, "records": ["\\xff", "{"]},
            {"source": "run_events", "total": 1, "records": ["{'event': 'x'}"]},
        ]
        await resources.redis.delete(MALFORMED_STREAM)
