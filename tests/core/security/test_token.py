import time
from uuid import UUID, uuid4

import pytest

from src.core.exceptions import UnauthorizedError
from src.core.resources import Resources
from src.core.security import token as tokens
from src.core.security.token import ACCESS_SKEW_SECONDS, TokenIssuer


@pytest.fixture
def issuer(resources: Resources) -> TokenIssuer:
    return TokenIssuer(resources.settings.auth)


def issue(issuer: TokenIssuer, user: UUID | None = None) -> str:
    return issuer.access(user or uuid4(), "session", int(time.time()))


class TestTheClock:
    @pytest.mark.parametrize("used_before", [True, False])
    def test_of_the_issuer_decides_when_a_token_expires(self, resources: Resources, used_before: bool) -> None:
        now = 1_000_000.0
        issuer = TokenIssuer(resources.settings.auth, lambda: now)
        token = issuer.access(uuid4(), "session", issuer.now())
        if used_before:
            assert issuer.seconds_left(issuer.read_access(token)) == issuer.settings.access_seconds
        now += issuer.settings.access_seconds - 0.5
        assert issuer.seconds_left(issuer.read_access(token)) == 0.5
        now += 0.5
        with pytest.raises(UnauthorizedError):
            issuer.read_access(token)

    def test_of_the_issuer_decides_when_a_token_begins(self, resources: Resources) -> None:
        issuer = TokenIssuer(resources.settings.auth, lambda: 1_000_000.0)
        with pytest.raises(UnauthorizedError):
            issuer.read_access(issuer.access(uuid4(), "session", 1_000_001 + ACCESS_SKEW_SECONDS))


class TestTheCache:
    def test_a_cached_token_has_the_same_claims(self, issuer: TokenIssuer) -> None:
        token = issue(issuer)
        assert issuer.read_access(token) == issuer.read_access(token)

    @pytest.mark.slow
    def test_a_cached_token_expires(self, issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
        old = issuer.access(uuid4(), "session", int(time.time()) - issuer.settings.access_seconds + 2)
        expires_at = issuer.read_access(old).expires_at
        while time.time() < expires_at:
            time.sleep(0.01)
        with pytest.raises(UnauthorizedError):
            issuer.read_access(old)

    def test_one_changed_character_is_another_token(self, issuer: TokenIssuer) -> None:
        token = issue(issuer)
        issuer.read_access(token)
        for place in (5, len(token) // 2, len(token) - 5):
            other = "A" if token[place] != "A" else "B"
            with pytest.raises(UnauthorizedError):
                issuer.read_access(token[:place] + other + token[place + 1 :])

    def test_a_refused_token_is_refused_again(self, issuer: TokenIssuer) -> None:
        for _ in range(2):
            with pytest.raises(UnauthorizedError):
                issuer.read_access("a.b.c")

    def test_it_has_a_maximum_size(self, issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tokens, "_CACHE_SIZE", 3)
        for _ in range(5):
            issuer.read_access(issue(issuer))
        assert len(issuer._verified) == 3
