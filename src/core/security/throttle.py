from src.core.config.auth import AuthSettings
from src.core.exceptions import TooManyRequestsError
from src.core.stores.redis_client import RedisClient
from src.core.stores.redis_script import RedisScript

# Fixed windows, which begin with their first count. The braces are literal: one slot in Redis Cluster.
_ACCOUNT = "auth:failures:{login}:account:"
_ADDRESS = "auth:failures:{login}:address:"

# KEYS: account, address. ARGV: the limit of each, seconds of the window. Returns the seconds to wait, or nil.
_ADMIT = RedisScript("""
if tonumber(redis.call('GET', KEYS[2]) or 0) >= tonumber(ARGV[2]) then return redis.call('TTL', KEYS[2]) end
local attempts = redis.call('INCR', KEYS[1])
if attempts == 1 then redis.call('EXPIRE', KEYS[1], ARGV[3]) end
if attempts > tonumber(ARGV[1]) then return redis.call('TTL', KEYS[1]) end
return false
""")

# KEYS: address. ARGV: seconds of the window.
_COUNT = RedisScript("""
if redis.call('INCR', KEYS[1]) == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
""")


class LoginThrottle:
    """Rate limits of failed logins, per account and per IP address.

    An attempt counts against the account before its password is checked, so that parallel guesses do not get through; a
    success resets the count. An address only counts failures, since many users may share it.
    """

    def __init__(self, redis: RedisClient, settings: AuthSettings) -> None:
        self._redis = redis
        self._limits = (settings.login_failures_per_account, settings.login_failures_per_address)
        self._window_seconds = settings.login_window_seconds

    async def admit(self, account: str, address: str) -> None:
        """Count an attempt.

        Raises:
            TooManyRequestsError: The account or the address has reached its limit.
        """
        keys = [_ACCOUNT + account, _ADDRESS + address]
        seconds = await _ADMIT.run(self._redis, keys, [*self._limits, self._window_seconds])
        if seconds is not None:
            raise TooManyRequestsError(int(seconds) + 1, error="auth.throttled")

    async def failed(self, address: str) -> None:
        """Count a failure against the address."""
        await _COUNT.run(self._redis, [_ADDRESS + address], [self._window_seconds])

    async def reset(self, account: str) -> bool:
        """Reset the account's count, after a success or to unlock it; returns whether there was one."""
        return bool(await self._redis.delete(_ACCOUNT + account))
