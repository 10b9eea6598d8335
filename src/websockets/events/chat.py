from fastapi import Depends

from src.core.exceptions import PermissionDeniedError
from src.deps.permission import VerifyPermissionDep, require_permission
from src.schemas.chat import ChatMessage, ChatReceived, ChatRoom
from src.websockets.params import SID, Server
from src.websockets.router import SocketRouter

router = SocketRouter(dependencies=[Depends(require_permission)])


@router.on("chat.join")
async def join(data: ChatRoom, sid: SID, server: Server) -> ChatRoom:
    """Receive what is said in a room from now on."""
    await server.enter_room(sid, _name(data.room))
    return data


@router.on("chat.leave")
async def leave(data: ChatRoom, sid: SID, server: Server) -> ChatRoom:
    """Receive no more of a room."""
    await server.leave_room(sid, _name(data.room))
    return data


@router.on("chat.send", emits={"chat.receive": ChatReceived})
async def send(data: ChatMessage, sid: SID, server: Server, claims: VerifyPermissionDep) -> ChatReceived:
    """Say something to everyone in a room that one has joined."""
    if _name(data.room) not in server.rooms(sid):
        raise PermissionDeniedError("Join the room first.")
    message = ChatReceived(room=data.room, text=data.text, user=claims.user_id)
    await server.emit("chat.receive", message, room=_name(data.room))
    return message


def _name(room: str) -> str:
    """Chat rooms have names of their own, apart from the rooms that the server keeps for users and connections."""
    return f"chat:{room}"
