from src.deps.auth import UserAccessJWTDep
from src.websockets.params import SID, Server
from src.websockets.router import SocketRouter

router = SocketRouter()


@router.on("connect")
async def connect(sid: SID, server: Server, claims: UserAccessJWTDep) -> None:
    """Let in whoever shows a live access token; everything for one user goes to the room `user:<id>`."""
    await server.enter_room(sid, f"user:{claims.user_id}")
