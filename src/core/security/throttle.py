import hashlib
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from src.core.config.auth import AuthSettings
from src.core.exceptions import TooManyRequestsError
from src.core.stores.redis_client import RedisClient
from src.core.stores.redis_script import RedisScript

# The braces are literal: one slot in Redis Cluster.
_KNOWN = "auth:known:{login}:"
_DEVICES = "auth:devices:{login}:"

DAY_SECONDS = 86_400
KNOWN_SECONDS = 90 * DAY_SECONDS
MAXIMUM_CLIENTS = 200
# An office shares an address, and a day is long.
CODES_PER_ADDRESS = 1000

# Finds the counter that limits this client.
_COUNTER = """
local function remember(set, expires_at, ...)
  for _, client in ipairs({...}) do
    if client ~= '' then redis.call('ZADD', set, expires_at, client) end
  end
  redis.call('ZREMRANGEBYRANK', set, 0, -1 - maximum_clients)
  redis.call('EXPIREAT', set, expires_at)
end
redis.call('ZREMRANGEBYSCORE', known, '-inf', now)
local is_known_device = redis.call('ZSCORE', known, device)
local counter = strangers
if is_known_device then counter = of_device
elseif redis.call('ZSCORE', known, address) then counter = of_address end
"""
# Returns the seconds to wait if that or the address is at its limit.
_WAIT = f"""{_COUNTER}
local function seconds_left(counter, limit)
  return tonumber(redis.call('GET', counter) or 0) >= tonumber(limit) and redis.call('TTL', counter) or nil
end
local seconds = seconds_left(counter, account_limit)
if not seconds and not is_known_device then seconds = seconds_left(of_all, address_limit) end
if seconds then
  remember(seen, now + window_seconds, device, address)
  return seconds
end
"""
_KEYS = "known seen strangers of_device of_address of_all"
_ARGS = "device address now account_limit address_limit window_seconds maximum_clients"

_ADMIT = RedisScript(f"{_WAIT}\nreturn false", keys=_KEYS, args=_ARGS)
_FAILED = RedisScript(
    f"""{_WAIT}
for _, key in ipairs({{counter, of_all}}) do
  if redis.call('INCR', key) == 1 then redis.call('EXPIRE', key, window_seconds) end
end
remember(seen, now + window_seconds, device, address)
return -redis.call('GET', counter)
""",
    keys=_KEYS,
    args=_ARGS,
)
_REFUND = RedisScript(
    f"""{_COUNTER}
for _, key in ipairs({{counter, of_all}}) do
  if tonumber(redis.call('GET', key) or 0) > 0 then redis.call('DECR', key) end
end
return false
""",
    keys=_KEYS,
    args=_ARGS,
)
# A description is kept as long as its device is known.
_REMEMBER = """
local used_device = is_known_device and device or new_device
remember(known, now + known_seconds, used_device, address)
if description ~= '' then
  redis.call('HSET', devices, used_device, description)
  redis.call('EXPIREAT', devices, now + known_seconds)
  for _, each in ipairs(redis.call('HKEYS', devices)) do
    if not redis.call('ZSCORE', known, each) then redis.call('HDEL', devices, each) end
  end
end
redis.call('DEL', of_device, of_address)
return is_known_device and -1 or false
"""
_SUCCEEDED, _SUCCEEDED_UNGUESSED = (
    RedisScript(before + _REMEMBER, keys=f"{_KEYS} devices", args=f"{_ARGS} new_device known_seconds description")
    for before in (_WAIT, _COUNTER)
)


class Attempt(StrEnum):
    """What is counted, each in fixed windows that begin with their first failure."""

    LOGIN = "failures"
    CODE = "codes"

    def key(self, of: str, name: str) -> str:
        """The Redis key of a counter."""
        return f"auth:{self}:{{login}}:{of}:{name}"


@dataclass(frozen=True, slots=True)
class LoginClient:
    """Who tries to log in: an IP address or IPv6 network, and the device token of an earlier login, or nothing."""

    address: str
    device: str = ""


class LoginThrottle:
    """Rate limits of failed logins, such that nobody can lock the owner of an account out.

    A client that logged in to the account before, recognised by its device token or its address, has its own budget of
    failures. All others share one budget per account, and each address has one for all accounts. Attempts are counted
    after the password is checked. Once a budget is used up, attempts that are under way are refused as well, even with
    the right password, so that parallel guesses find out no more than sequential ones.
    """

    def __init__(self, redis: RedisClient, settings: AuthSettings) -> None:
        self._redis = redis
        per_account, per_address = settings.login_failures_per_account, settings.login_failures_per_address
        self._limits = {
            Attempt.LOGIN: (per_account, per_address, settings.login_window_seconds),
            Attempt.CODE: (settings.code_failures_per_day, CODES_PER_ADDRESS, DAY_SECONDS),
        }

    async def admit(self, account: str, client: LoginClient) -> None:
        """Check before the password that the client may try.

        Raises:
            TooManyRequestsError: Its budget, or that of its address, is used up.
        """
        await self._run(_ADMIT, account, client)

    async def fail(self, account: str, client: LoginClient) -> None:
        """Count a failed attempt.

        Raises:
            TooManyRequestsError: The budget was used up meanwhile.
        """
        await self._run(_FAILED, account, client)

    async def admit_code(self, account: str, client: LoginClient) -> int:
        """Count a code of a second factor before it is checked, and return how many; `refund_code` if it is right.

        Codes are short, so that they have a budget for a day besides that of logins.

        Raises:
            TooManyRequestsError: Too many codes of this client were wrong.
        """
        return -(await self._run(_FAILED, account, client, Attempt.CODE) or 0)

    async def refund_code(self, account: str, client: LoginClient) -> None:
        """Do not count a code that was right."""
        await self._run(_REFUND, account, client, Attempt.CODE)

    async def may_warn(self, account: str) -> bool:
        """Whether the owner was not warned of wrong codes within a day; True once, of parallel calls too."""
        return bool(await self._redis.set(f"auth:warned:{{login}}:{account}", "1", nx=True, ex=DAY_SECONDS))

    async def succeed(
        self, account: str, client: LoginClient, description: str = "", *, is_guessable: bool = True
    ) -> str:
        """Remember the client of a successful attempt; returns its device token, a new one if it had none.

        A `description` of the device is kept for `devices`. Attempts that are not `is_guessable`, such as with a
        passkey, are not refused for the failures of others.

        Raises:
            TooManyRequestsError: The budget was used up meanwhile.
        """
        new = secrets.token_urlsafe(24)
        result = await self._run(
            _SUCCEEDED if is_guessable else _SUCCEEDED_UNGUESSED,
            account,
            client,
            Attempt.LOGIN,
            devices=_DEVICES + account,
            new_device=device_id(new),
            known_seconds=KNOWN_SECONDS,
            description=description,
        )
        return new if result is None else client.device

    async def is_new_client(self, account: str, client: LoginClient) -> bool:
        """Whether others have logged in to the account within 90 days, but nobody with this device or address."""
        known = _KNOWN + account
        scores = await self._redis.zmscore(known, [device_id(client.device), f"address:{client.address}"])
        return scores == [None, None] and bool(await self._redis.zcard(known))

    async def devices(self, account: str) -> dict[str, tuple[str, float]]:
        """The account's known devices that have a description, by their ids, with the time until they are known."""
        stored = await self._redis.hgetall(_DEVICES + account)
        descriptions = {str(device): str(description) for device, description in stored.items()}
        devices = list(descriptions)
        scores = await self._redis.zmscore(_KNOWN + account, devices) if devices else []
        known = zip(devices, scores, strict=True)
        return {each: (descriptions[each], score) for each, score in known if score is not None and score > time.time()}

    async def forget_device(self, account: str, device: str) -> bool:
        """Treat a device as a stranger's from now on; returns whether it was known."""
        await self._redis.hdel(_DEVICES + account, device)
        return bool(await self._redis.zrem(_KNOWN + account, device))

    async def forget(self, account: str) -> None:
        """Forget all devices and addresses of an account."""
        await self._redis.delete(_KNOWN + account, _DEVICES + account)

    async def unlock(self, account: str, kinds: Iterable[Attempt] = Attempt) -> bool:
        """Reset the account's failures, and those of the clients that failed or were refused; returns whether any."""
        keys: list[str] = []
        for kind in kinds:
            seen = kind.key("seen", account)
            clients = [str(client) for client in await self._redis.zrange(seen, 0, -1)]
            keys += [kind.key("account", account), seen, *(kind.key("client", f"{each}:{account}") for each in clients)]
            addresses = [each.removeprefix("address:") for each in clients if each.startswith("address:")]
            keys += [kind.key("address", address) for address in addresses]
        return bool(await self._redis.delete(*keys))

    async def _run(
        self, script: RedisScript, account: str, client: LoginClient, kind: Attempt = Attempt.LOGIN, **more: object
    ) -> int | None:
        device, address = device_id(client.device), f"address:{client.address}"
        account_limit, address_limit, window_seconds = self._limits[kind]
        result: int | None = await script.run(
            self._redis,
            known=_KNOWN + account,
            seen=kind.key("seen", account),
            strangers=kind.key("account", account),
            of_device=kind.key("client", f"{device}:{account}"),
            of_address=kind.key("client", f"{address}:{account}"),
            of_all=kind.key("address", client.address),
            device=device,
            address=address,
            now=int(time.time()),
            account_limit=account_limit,
            address_limit=address_limit,
            window_seconds=window_seconds,
            maximum_clients=MAXIMUM_CLIENTS,
            **more,
        )
        if result is not None and result >= 0:
            raise TooManyRequestsError(result + 1, error="auth.throttled")
        return result


def device_id(token: str) -> str:
    """How a device token is stored: hashed, so that whoever reads Redis cannot use it; empty without a token."""
    return f"device:{hashlib.sha256(token.encode()).hexdigest()}" if token else ""
