"""Tokens that are signed with the right key, and still invalid."""

import time

import pytest

from src.utils.jwt import InvalidTokenError, TokenCodec

pytestmark = pytest.mark.unit

CODEC = TokenCodec("at+jwt", ["k" * 40], "issuer", "audience", ("iat", "nbf", "exp"), maximum_seconds=60)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def token(lifetime_seconds: int = 60) -> str:
    now = int(time.time())
    return CODEC.encode({"iat": now, "nbf": now, "exp": now + lifetime_seconds})


class TestRow02Lifetime:
    def test_the_maximum_is_accepted(self) -> None:
        assert CODEC.decode(token(60))

    def test_a_longer_one_is_refused(self) -> None:
        with pytest.raises(InvalidTokenError):
            CODEC.decode(token(61))


class TestSpelling:
    def test_only_one_spelling_of_a_signature_is_accepted(self) -> None:
        right = token()
        decoded = [right[:-1] + last for last in ALPHABET if accepts(right[:-1] + last)]
        assert decoded == [right]

    @pytest.mark.parametrize("more", ["=", "==", "A", "."])
    def test_nothing_may_follow(self, more: str) -> None:
        assert not accepts(token() + more)


def accepts(candidate: str) -> bool:
    try:
        CODEC.decode(candidate)
    except InvalidTokenError:
        return False
    return True
