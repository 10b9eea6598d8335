"""API keys: `ak_` and 64 hexadecimal digits. Only their SHA-256 is stored, since 256 random bits cannot be guessed."""

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from uuid import UUID

PREFIX = "ak_"
# How much of a key is stored and shown in lists, so that people recognise it.
SHOWN_CHARACTERS = len(PREFIX) + 8

_FORM = re.compile(rf"{PREFIX}[0-9a-f]{{64}}")
# In place of the id of a session, which has no colon: whatever looks for such a session finds none.
_SESSION = "key:"


# As many as verified access tokens.
_KNOWN = 4096


@dataclass(frozen=True, slots=True)
class ApiKeyIdentity:
    """Whose key a request was sent with, and the networks that it may come from; none means any."""

    id: UUID
    user_id: UUID
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    def allows(self, address: str) -> bool:
        """Whether requests may come from this IP address."""
        if not self.networks:
            return True
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self.networks)


class KnownKeys:
    """Keys by their hashes, each for some seconds, oldest out first. A known key may have ended in the meantime."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._keys: dict[str, tuple[ApiKeyIdentity, float]] = {}

    def get(self, key_hash: str) -> ApiKeyIdentity | None:
        """The key with this hash, if it is known."""
        key, until = self._keys.get(key_hash, (None, 0.0))
        return key if self._clock() < until else None

    def add(self, key_hash: str, key: ApiKeyIdentity) -> None:
        """Remember a key."""
        self._keys.pop(key_hash, None)
        if len(self._keys) >= _KNOWN:
            del self._keys[next(iter(self._keys))]
        self._keys[key_hash] = key, self._clock() + self._seconds


def new_key() -> str:
    """A new key."""
    return PREFIX + secrets.token_hex(32)


def hash_key(key: str) -> str:
    """How a key is stored and looked up: its SHA-256, in hexadecimal."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


def is_well_formed(key: str) -> bool:
    """Whether it may be a key; everything else is refused without asking a store."""
    return _FORM.fullmatch(key) is not None


def parse_network(text: str) -> IPv4Network | IPv6Network:
    """An address, or a network such as `192.0.2.0/24`.

    Raises:
        ValueError: It is neither.
    """
    return ip_network(text)


def session_of(key_hash: str) -> str:
    """What the claims of a key have as their `session_id`."""
    return _SESSION + key_hash


def key_hash_of(session_id: str) -> str | None:
    """The hash in the `session_id` of a key's claims; None if it is that of a login session."""
    return session_id[len(_SESSION) :] if session_id.startswith(_SESSION) else None
