import structlog
from starlette.requests import HTTPConnection

from src.core.exceptions import TooManyRequestsError, UnauthorizedError
from src.core.resources import Resources
from src.core.security.api_key import ApiKeyIdentity, hash_key, is_well_formed, parse_network, session_of
from src.core.security.token import AccessClaims
from src.crud.api_key import ApiKeyCRUD
from src.deps.auth import set_actor
from src.deps.rate_limit import address, count_request
from src.utils.date import utc_now

log = structlog.get_logger(__name__)

# Keys of one address that do not exist: each of them is a query. As many as anonymous requests.
UNKNOWN_PER_MINUTE = 6000


async def read_key_claims(connection: HTTPConnection, key: str, resources: Resources) -> AccessClaims:
    """The claims of an API key. Whether the key is still alive is checked together with its permissions.

    Raises:
        UnauthorizedError: The key does not exist, or may not be used from this address.
        TooManyRequestsError: Too many unknown keys were sent from this address.
    """
    key_hash = hash_key(key)
    identity = resources.known_keys.get(key_hash) or await _find(connection, key, key_hash, resources)
    set_actor(connection, identity.user_id)
    connection.state.api_key_id = identity.id
    client = connection.client.host if connection.client else ""
    if not identity.allows(client):
        log.warning("api_key_refused", api_key_id=str(identity.id), address=client)
        raise UnauthorizedError
    return AccessClaims(identity.user_id, session_of(key_hash), 0, identity)


async def _find(connection: HTTPConnection, key: str, key_hash: str, resources: Resources) -> ApiKeyIdentity:
    """Find a live key by a query, and remember it.

    Raises:
        UnauthorizedError: There is none.
        TooManyRequestsError: Too many unknown keys were sent from this address.
    """
    if not is_well_formed(key):
        raise UnauthorizedError
    counter = f"rate:unknown-keys:{address(connection)}"
    if int(await resources.redis.get(counter) or 0) >= UNKNOWN_PER_MINUTE:
        # Not declared with `raises`: the document of every guarded route would change, for what no real key meets.
        raise TooManyRequestsError(await resources.redis.ttl(counter), error="request.rate_limited")
    async with resources.sessions() as session:
        row = await ApiKeyCRUD(session).find_live(key_hash, utc_now())
    if row is None:
        await count_request(resources.redis, counter)
        raise UnauthorizedError
    identity = ApiKeyIdentity(row.id, row.user_id, tuple(map(parse_network, row.addresses)))
    resources.known_keys.add(key_hash, identity)
    return identity
