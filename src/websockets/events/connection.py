from src.core.exceptions import PermissionDeniedError, raises
from src.core.realtime.rooms import OPS_ROOM, session_room, user_room
from src.deps.auth import SessionServiceDep, UserAccessJWTDep
from src.deps.database import ResourcesDep
from src.deps.permission import PermissionServiceDep
from src.schemas.auth import AccessTokenRequest
from src.websockets.events.chat import PREFIX
from src.websockets.params import SID, Server
from src.websockets.router import SocketRouter

router = SocketRouter()


@router.on("connect")
async def connect(
    sid: SID, server: Server, claims: UserAccessJWTDep, resources: ResourcesDep, sessions: SessionServiceDep
) -> None:
    """Accept a client with a valid access token, until that expires or its session ends."""
    await server.enter_room(sid, user_room(claims.user_id))
    await server.enter_room(sid, session_room(claims.session_id))
    server.expire(sid, resources.tokens.seconds_left(claims))
    await sessions.require(claims)  # again: the session may have ended before the rooms were entered


@router.on("auth.refresh")
@raises(PermissionDeniedError("The token belongs to another session."))
async def refresh(
    data: AccessTokenRequest,
    sid: SID,
    server: Server,
    old: UserAccessJWTDep,
    resources: ResourcesDep,
    sessions: SessionServiceDep,
) -> None:
    """Extend the connection with a newer access token of the same session."""
    new = resources.tokens.read_access(data.token)
    if (new.user_id, new.session_id) != (old.user_id, old.session_id):
        raise PermissionDeniedError("The token belongs to another session.")
    await sessions.require(new)
    server.renew(sid, {"token": data.token})
    server.expire(sid, resources.tokens.seconds_left(new))


async def check_authorization(
    sid: SID, server: Server, claims: UserAccessJWTDep, permissions: PermissionServiceDep
) -> None:
    """Require the session to be active, and the permissions for the rooms that the client is in."""
    rooms = server.rooms(sid)
    if any(room.startswith(PREFIX) for room in rooms):
        await permissions.require(claims.user_id, claims.session_id, "SOCKET:chat.join")
    if OPS_ROOM in rooms:
        await permissions.require(claims.user_id, claims.session_id, "SOCKET:runs.watch")
