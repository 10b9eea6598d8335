import time

from limits import RateLimitItemPerSecond
from limits.aio.storage.redis import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from redis.asyncio import Redis

from src.core.config_auth import AuthSettings
from src.core.exceptions import TooManyRequestsError


class LoginThrottle:
    """Counts failed logins per account and per address.

    A try counts against the account before it is made, so that parallel guesses cannot slip through, and a success
    clears the count. An address counts failures alone: many people may share it.
    """

    def __init__(self, redis: Redis, settings: AuthSettings) -> None:
        storage = RedisStorage("async+redis://", implementation="redispy", connection_pool=redis.connection_pool)  # type: ignore[arg-type]  # typed as if only scalars were options
        self._limiter = FixedWindowRateLimiter(storage)
        window = settings.login_window_seconds
        self._account = RateLimitItemPerSecond(settings.login_failures_per_account, window, "login-account")
        self._address = RateLimitItemPerSecond(settings.login_failures_per_address, window, "login-address")

    async def admit(self, account: str, address: str) -> None:
        """Let a try be made.

        Raises:
            TooManyRequestsError: The account or the address has used up its failures.
        """
        if not await self._limiter.test(self._address, address):
            await self._refuse(self._address, address)
        if not await self._limiter.hit(self._account, account):
            await self._refuse(self._account, account)

    async def failed(self, address: str) -> None:
        """Count a failure against the address."""
        await self._limiter.hit(self._address, address)

    async def succeeded(self, account: str) -> None:
        """Forget the account's failures."""
        await self._limiter.clear(self._account, account)

    async def _refuse(self, limit: RateLimitItemPerSecond, key: str) -> None:
        window = await self._limiter.get_window_stats(limit, key)
        raise TooManyRequestsError(int(window.reset_time - time.time()) + 1, error="auth.throttled")
