from src.core.config.auth import AuthSettings
from src.core.exceptions import TooManyRequestsError
from src.core.stores.redis_client import RedisClient
from src.core.stores.redis_script import RedisScript

# Fixed windows, which begin with their first count. The braces are literal: one slot in Redis Cluster.
_ACCOUNT = "auth:failures:{login}:account:"
_ADDRESS = "auth:failures:{login}:address:"

# Returns the seconds to wait, or nil.
_ADMIT = RedisScript(
    """
if tonumber(redis.call('GET', address) or 0) >= tonumber(address_limit) then return redis.call('TTL', address) end
local attempts = redis.call('INCR', account)
if attempts == 1 then redis.call('EXPIRE', account, window_seconds) end
if attempts > tonumber(account_limit) then return redis.call('TTL', account) end
return false
""",
    keys="account address",
    args="account_limit address_limit window_seconds",
)

_COUNT = RedisScript(
    "if redis.call('INCR', address) == 1 then redis.call('EXPIRE', address, window_seconds) end",
    keys="address",
    args="window_seconds",
)


class LoginThrottle:
    """Rate limits of failed logins, per account and per IP address.

    An attempt counts against the account before its password is checked, so that parallel guesses do not get through; a
    success resets the count. An address only counts failures, since many users may share it.
    """

    def __init__(self, redis: RedisClient, settings: AuthSettings) -> None:
        self._redis = redis
        self._account_limit = settings.login_failures_per_account
        self._address_limit = settings.login_failures_per_address
        self._window_seconds = settings.login_window_seconds

    async def admit(self, account: str, address: str) -> None:
        """Count an attempt.

        Raises:
            TooManyRequestsError: The account or the address has reached its limit.
        """
        seconds = await _ADMIT.run(
            self._redis,
            account=_ACCOUNT + account,
            address=_ADDRESS + address,
            account_limit=self._account_limit,
            address_limit=self._address_limit,
            window_seconds=self._window_seconds,
        )
        if seconds is not None:
            raise TooManyRequestsError(int(seconds) + 1, error="auth.throttled")

    async def failed(self, address: str) -> None:
        """Count a failure against the address."""
        await _COUNT.run(self._redis, address=_ADDRESS + address, window_seconds=self._window_seconds)

    async def reset(self, account: str) -> bool:
        """Reset the account's count, after a success or to unlock it; returns whether there was one."""
        return bool(await self._redis.delete(_ACCOUNT + account))
