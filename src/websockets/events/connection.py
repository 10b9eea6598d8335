from src.core.effects import session_room, user_room
from src.core.exceptions import PermissionDeniedError
from src.deps.auth import SessionServiceDep, UserAccessJWTDep
from src.deps.database import ResourcesDep
from src.deps.permission import PermissionServiceDep
from src.schemas.auth import AccessTokenRequest
from src.websockets.params import SID, Server
from src.websockets.router import SocketRouter

router = SocketRouter()

# Rooms that a client enters by an event, by the beginning of their names.
_GRANTED_BY = {"chat:": "SOCKET:chat.join"}


@router.on("connect")
async def connect(
    sid: SID, server: Server, claims: UserAccessJWTDep, resources: ResourcesDep, sessions: SessionServiceDep
) -> None:
    """Let in whoever shows a live access token, until it expires or its session ends."""
    await server.enter_room(sid, user_room(claims.user_id))
    await server.enter_room(sid, session_room(claims.session_id))
    server.expire(sid, resources.tokens.seconds_left(claims))
    await sessions.require(claims)  # once more: it may have ended before the rooms could hear of it


@router.on("auth.refresh")
async def refresh(
    data: AccessTokenRequest,
    sid: SID,
    server: Server,
    old: UserAccessJWTDep,
    resources: ResourcesDep,
    sessions: SessionServiceDep,
) -> None:
    """Stay connected with a newer access token of the same session."""
    new = resources.tokens.read_access(data.token)
    if (new.user_id, new.session_id) != (old.user_id, old.session_id):
        raise PermissionDeniedError("Not a token of this session.")
    await sessions.require(new)
    server.renew(sid, {"token": data.token})
    server.expire(sid, resources.tokens.seconds_left(new))


async def recheck(sid: SID, server: Server, claims: UserAccessJWTDep, permissions: PermissionServiceDep) -> None:
    """A client may stay while its session lives, and while what it listens to is granted to it."""
    rooms = server.rooms(sid)
    for prefix, code in _GRANTED_BY.items():
        if any(room.startswith(prefix) for room in rooms):
            await permissions.require(claims.user_id, claims.session_id, code)
