from src.core.config.auth import AuthSettings
from src.core.exceptions import TooManyRequestsError
from src.core.stores.redis_client import RedisClient
from src.core.stores.redis_script import RedisScript

# Both windows are fixed: they end so long after their first count. The braces are literal: one slot in Redis Cluster.
_ACCOUNT = "auth:failures:{login}:account:"
_ADDRESS = "auth:failures:{login}:address:"

# KEYS: account, address. ARGV: how often each may fail, seconds of the window. Answers for how long it is refused.
_ADMIT = RedisScript("""
if tonumber(redis.call('GET', KEYS[2]) or 0) >= tonumber(ARGV[2]) then return redis.call('TTL', KEYS[2]) end
local tries = redis.call('INCR', KEYS[1])
if tries == 1 then redis.call('EXPIRE', KEYS[1], ARGV[3]) end
if tries > tonumber(ARGV[1]) then return redis.call('TTL', KEYS[1]) end
return false
""")

# KEYS: address. ARGV: seconds of the window.
_COUNT = RedisScript("""
if redis.call('INCR', KEYS[1]) == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
""")


class LoginThrottle:
    """Counts failed logins per account and per address.

    A try counts against the account before it is made, so that parallel guesses cannot slip through, and a success
    clears the count. An address counts failures alone: many people may share it.
    """

    def __init__(self, redis: RedisClient, settings: AuthSettings) -> None:
        self._redis = redis
        self._limits = (settings.login_failures_per_account, settings.login_failures_per_address)
        self._window_seconds = settings.login_window_seconds

    async def admit(self, account: str, address: str) -> None:
        """Let a try be made.

        Raises:
            TooManyRequestsError: The account or the address has used up its failures.
        """
        keys = [_ACCOUNT + account, _ADDRESS + address]
        seconds = await _ADMIT.run(self._redis, keys, [*self._limits, self._window_seconds])
        if seconds is not None:
            raise TooManyRequestsError(int(seconds) + 1, error="auth.throttled")

    async def failed(self, address: str) -> None:
        """Count a failure against the address."""
        await _COUNT.run(self._redis, [_ADDRESS + address], [self._window_seconds])

    async def succeeded(self, account: str) -> None:
        """Forget the account's failures."""
        await self._redis.delete(_ACCOUNT + account)

    async def unlock(self, account: str) -> bool:
        """Forget the account's failures, so that it may log in at once; returns whether there were any."""
        return bool(await self._redis.delete(_ACCOUNT + account))
