"""Rate limits of routes: a dependency with a declared budget, counted in Redis for all processes."""

from collections.abc import Callable

from fastapi import Depends
from fastapi.params import Depends as DependsMarker
from starlette.requests import HTTPConnection

from src.core.exceptions import TooManyRequestsError, raises
from src.core.routing.registry import RouteRegistry
from src.core.stores.redis_client import RedisClient
from src.core.stores.redis_script import RedisScript
from src.deps.database import ResourcesDep
from src.utils.address import network_of

# Fixed windows, which begin with their first request. Returns how many there were, and when the window ends.
_COUNT = RedisScript(
    """
local count = redis.call('INCR', counter)
if count == 1 then redis.call('EXPIRE', counter, window_seconds) end
return {count, redis.call('TTL', counter)}
""",
    keys="counter",
    args="window_seconds",
)


async def count_request(redis: RedisClient, counter: str, window_seconds: int = 60) -> tuple[int, int]:
    """Count a request; returns how many there were in its window, and the seconds until that ends."""
    count, seconds = await _COUNT.run(redis, counter=counter, window_seconds=window_seconds)
    return count, seconds


def address(connection: HTTPConnection) -> str:
    """The client's IP address, or its IPv6 network."""
    return network_of(connection.client.host) if connection.client else ""


def account(connection: HTTPConnection) -> str:
    """The user whom the guards of the route have authenticated; the address if there is none."""
    actor_id = getattr(connection.state, "actor_id", None)
    return str(actor_id) if actor_id else address(connection)


class RateLimit:
    """Allows a number of requests to a route per window, and says in the headers of the response what is left.

    One round trip to Redis. Each route that has the dependency has a budget of its own.

    Args:
        limit: Requests per window, multiplied by `RATE_LIMIT_FACTOR`.
        window_seconds: Length of a window.
        per: Whose budget it is: `address`, `account`, or a function that returns any other key of the request.

    Raises:
        TooManyRequestsError: The budget is used up.
    """

    def __init__(self, limit: int, *, per: Callable[[HTTPConnection], str], window_seconds: int = 60) -> None:
        self.limit = limit
        self.window_seconds = window_seconds
        self._per = per
        raises(self._error(limit, window_seconds))(self)

    async def __call__(self, connection: HTTPConnection, resources: ResourcesDep) -> None:
        """Count a request."""
        factor = resources.settings.app.rate_limit_factor
        if not factor:
            return
        limit = max(1, int(self.limit * factor))
        registry: RouteRegistry = connection.app.state.registry
        counter = f"rate:{registry.find_code(connection.scope)}:{self._per(connection)}"
        count, seconds = await count_request(resources.redis, counter, self.window_seconds)
        if count > limit:
            raise self._error(limit, seconds)
        connection.scope["response_headers"] = self._headers(limit, limit - count, seconds)

    def _error(self, limit: int, seconds: int) -> TooManyRequestsError:
        error = TooManyRequestsError(seconds, error="request.rate_limited")
        error.headers |= self._headers(limit, 0, seconds)
        return error

    def _headers(self, limit: int, left: int, seconds: int) -> dict[str, str]:
        """As in the IETF's draft: the policy is named after whose budget it is."""
        name = self._per.__name__
        return {
            "RateLimit-Policy": f'"{name}";q={limit};w={self.window_seconds}',
            "RateLimit": f'"{name}";r={left};t={seconds}',
        }


def rate_limit(limit: int, *, per: Callable[[HTTPConnection], str], window_seconds: int = 60) -> DependsMarker:
    """A `RateLimit` for the `dependencies` of a route or router."""
    marker: DependsMarker = Depends(RateLimit(limit, per=per, window_seconds=window_seconds))
    return marker


# Of one address, which many users may share: more than one process can serve.
ANONYMOUS = rate_limit(6000, per=address)
# Of one address, for routes by which anybody can have an e-mail sent: an office may share one.
MAILS = rate_limit(100, per=address, window_seconds=900)
# Of one user, for routes that cost much more than others.
EXPENSIVE = rate_limit(3000, per=account)
