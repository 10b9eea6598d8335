from uuid import uuid4

import pytest

from src.core.security.api_key import (
    SHOWN_CHARACTERS,
    ApiKeyIdentity,
    KnownKeys,
    hash_key,
    is_well_formed,
    key_hash_of,
    new_key,
    parse_network,
    session_of,
)
from src.core.security.token import new_id

pytestmark = pytest.mark.unit


def identity(*networks: str) -> ApiKeyIdentity:
    return ApiKeyIdentity(uuid4(), uuid4(), tuple(map(parse_network, networks)))


class TestAKey:
    def test_is_random_and_well_formed(self) -> None:
        keys = {new_key() for _ in range(100)}
        assert len(keys) == 100
        assert all(map(is_well_formed, keys))
        assert len({key[:SHOWN_CHARACTERS] for key in keys}) == 100

    @pytest.mark.parametrize("change", [str.upper, lambda key: key + "0", lambda key: key[:-1], lambda key: key + "\n"])
    def test_of_another_form_is_none(self, change: object) -> None:
        assert callable(change)
        assert not is_well_formed(change(new_key()))

    def test_is_hashed_whatever_it_contains(self) -> None:
        assert len(hash_key("ak_\ud800\0é")) == 64


class TestASession:
    def test_of_a_key_names_its_hash(self) -> None:
        assert key_hash_of(session_of("abc")) == "abc"

    def test_of_a_login_names_none(self) -> None:
        assert [key_hash_of(new_id()) for _ in range(1000)] == [None] * 1000


class TestNetworks:
    @pytest.mark.parametrize(
        ("networks", "address", "allowed"),
        [
            ((), "192.0.2.7", True),
            ((), "", True),
            (("192.0.2.0/24",), "192.0.2.7", True),
            (("192.0.2.0/24",), "::ffff:192.0.2.7", True),
            (("192.0.2.0/24",), "192.0.3.7", False),
            (("192.0.2.7",), "192.0.2.8", False),
            (("2001:db8::/32",), "2001:db8::1%eth0", True),
            (("2001:db8::/32",), "192.0.2.7", False),
            (("192.0.2.0/24", "2001:db8::/32"), "2001:db8::1", True),
            (("0.0.0.0/0",), "", False),
            (("0.0.0.0/0",), "unix socket", False),
        ],
    )
    def test_allow_their_addresses(self, networks: tuple[str, ...], address: str, allowed: bool) -> None:
        assert identity(*networks).allows(address) is allowed


class TestKnownKeys:
    def test_forget_the_oldest(self) -> None:
        known, first, last = KnownKeys(seconds=60), identity(), identity()
        known.add("first", first)
        assert known.get("first") is first
        for number in range(4096):
            known.add(str(number), last)
        assert (known.get("first"), known.get("0")) == (None, last)

    def test_forget_a_key_in_time(self) -> None:
        now = 0.0
        known, before, after = KnownKeys(60, clock=lambda: now), identity("192.0.2.0/24"), identity()
        known.add("key", before)
        now = 59.9
        assert known.get("key") is before
        now = 60.0
        assert known.get("key") is None
        known.add("key", after)
        assert known.get("key") is after
