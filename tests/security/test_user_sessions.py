"""Sessions of other users are listed and ended by those who may, and by nobody below their owner."""

import httpx
import pytest

from tests.security.test_administration import NOTICES
from tests.security.test_sessions import is_alive
from tests.support.people import People, Person

PATH = "/api/v1/users/{userId}/sessions"
CODES = (f"GET:{PATH}", f"DELETE:{PATH}", f"DELETE:{PATH}/{{sessionId}}")


def url(person: Person, session: str = "") -> str:
    return PATH.format(userId=person.user.id) + (f"/{session}" if session else "")


@pytest.fixture
async def clerk(people: People) -> Person:
    """A user who may see and end sessions, and nothing else."""
    return await people.create(*CODES)


class TestSessionsOfAUser:
    async def test_are_listed_newest_first(self, client: httpx.AsyncClient, people: People, clerk: Person) -> None:
        person = await people.create()
        second = await people.login(person.user)
        listed = (await client.get(url(person), headers=clerk.headers)).json()["data"]
        assert {row["id"] for row in listed} == {person.tokens.session_id, second.tokens.session_id}
        assert [row["current"] for row in listed] == [False, False]

    async def test_show_which_is_the_callers(self, client: httpx.AsyncClient, clerk: Person) -> None:
        (row,) = (await client.get(url(clerk), headers=clerk.headers)).json()["data"]
        assert (row["id"], row["current"]) == (clerk.tokens.session_id, True)

    async def test_end_one_by_one(self, client: httpx.AsyncClient, people: People, clerk: Person) -> None:
        person = await people.create()
        other = await people.login(person.user)
        first = await client.delete(url(person, person.tokens.session_id), headers=clerk.headers)
        again = await client.delete(url(person, person.tokens.session_id), headers=clerk.headers)
        assert (first.status_code, again.status_code) == (200, 404)
        assert [await is_alive(client, session) for session in (person, other)] == [False, True]

    async def test_end_all_at_once(self, client: httpx.AsyncClient, people: People, clerk: Person) -> None:
        person = await people.create()
        other = await people.login(person.user)
        assert (await client.delete(url(person), headers=clerk.headers)).status_code == 200
        assert [await is_alive(client, session) for session in (person, other, clerk)] == [False, False, True]

    @pytest.mark.parametrize(
        ("codes", "is_admin", "error"),
        [((NOTICES,), False, "auth.not_yours_to_grant"), ((), True, "auth.not_yours_to_rule")],
    )
    async def test_of_somebody_who_may_more_are_out_of_reach(
        self,
        client: httpx.AsyncClient,
        people: People,
        clerk: Person,
        codes: tuple[str, ...],
        is_admin: bool,
        error: str,
    ) -> None:
        person = await people.create(*codes, is_admin=is_admin)
        for method, end in (("GET", ""), ("DELETE", ""), ("DELETE", person.tokens.session_id)):
            response = await client.request(method, url(person, end), headers=clerk.headers)
            assert (response.status_code, response.json()["error"]) == (403, error)
        assert await is_alive(client, person)

    async def test_each_route_needs_its_own_code(self, client: httpx.AsyncClient, people: People) -> None:
        reader, person = await people.create(CODES[0]), await people.create()
        calls = (("GET", ""), ("DELETE", ""), ("DELETE", person.tokens.session_id))
        answers = [await client.request(method, url(person, end), headers=reader.headers) for method, end in calls]
        assert [answer.status_code for answer in answers] == [200, 403, 403]
