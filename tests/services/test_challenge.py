import secrets

import pytest

from src.core.resources import Resources
from src.services.challenge import ChallengeService

NOW = 1_800_000_000


@pytest.fixture
def challenges(resources: Resources) -> ChallengeService:
    return ChallengeService(resources.settings.auth, resources.redis)


class TestRedeem:
    async def test_a_fresh_one_is_accepted(self, challenges: ChallengeService) -> None:
        assert await challenges.redeem(challenges.issue(NOW), NOW)

    async def test_it_is_accepted_once(self, challenges: ChallengeService) -> None:
        challenge = challenges.issue(NOW)
        assert [await challenges.redeem(challenge, NOW) for _ in range(3)] == [True, False, False]

    @pytest.mark.parametrize(("age", "accepted"), [(119, True), (120, True), (121, False), (10**9, False)])
    async def test_it_expires(self, challenges: ChallengeService, age: int, *, accepted: bool) -> None:
        assert await challenges.redeem(challenges.issue(NOW), NOW + age) == accepted

    async def test_one_of_another_key_is_refused(self, resources: Resources, challenges: ChallengeService) -> None:
        key = type(resources.settings.auth.refresh_token_key)(secrets.token_urlsafe(48))
        foreign = ChallengeService(
            resources.settings.auth.model_copy(update={"refresh_token_key": key}), resources.redis
        )
        assert not await challenges.redeem(foreign.issue(NOW), NOW)

    @pytest.mark.parametrize(
        "challenge", ["", ".", "..", "...", "a", "1.2.3", "\0", "\ud800.\ud800", "ж.ж", "1" * 5000]
    )
    async def test_malformed_ones_are_refused(self, challenges: ChallengeService, challenge: str) -> None:
        assert not await challenges.redeem(challenge, NOW)

    @pytest.mark.parametrize("change", [lambda c: c + "0", lambda c: c[:-1], lambda c: c.upper(), lambda c: "0" + c])
    async def test_a_changed_one_is_refused(self, challenges: ChallengeService, change: object) -> None:
        assert callable(change)
        assert not await challenges.redeem(change(challenges.issue(NOW)), NOW)
