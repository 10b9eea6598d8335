from collections.abc import Collection
from typing import Annotated
from uuid import UUID

from fastapi import Depends

from src.core.exceptions import ConflictError, PermissionDeniedError, raises
from src.deps.chat import ChatServiceDep
from src.deps.permission import VerifyPermissionDep, require_permission
from src.models.chat import ChatLine
from src.schemas.chat import ChatHistory, ChatHistoryQuery, ChatMembers, ChatMessage, ChatReceived, ChatRoom
from src.websockets.params import SID, Server
from src.websockets.router import SocketRouter

MAX_ROOMS = 100
# Separates chat rooms from the rooms of users, sessions and connections.
PREFIX = "chat:"
NOT_JOINED = PermissionDeniedError("Join the room first.", error="chat.not_joined")

router = SocketRouter(dependencies=[Depends(require_permission)], ordered=True)


async def get_rooms(sid: SID, server: Server) -> Collection[str]:
    """The chat rooms that this connection has joined."""
    return {room.removeprefix(PREFIX) for room in server.rooms(sid) if room.startswith(PREFIX)}


RoomsDep = Annotated[Collection[str], Depends(get_rooms)]


@router.on("chat.join")
@raises(ConflictError(f"At most {MAX_ROOMS} rooms can be joined.", error="chat.too_many_rooms"))
async def join(data: ChatRoom, sid: SID, server: Server, rooms: RoomsDep) -> ChatRoom:
    """Join a room: receive its messages from now on.

    A connection may join 100 rooms; it leaves them when it ends.
    """
    if len(rooms) >= MAX_ROOMS and data.room not in rooms:
        raise ConflictError(f"At most {MAX_ROOMS} rooms can be joined.", error="chat.too_many_rooms")
    await server.enter_room(sid, PREFIX + data.room)
    return data


@router.on("chat.leave")
async def leave(data: ChatRoom, sid: SID, server: Server) -> ChatRoom:
    """Leave a room."""
    await server.leave_room(sid, PREFIX + data.room)
    return data


@router.on("chat.members")
@raises(NOT_JOINED)
async def members(data: ChatRoom, server: Server, rooms: RoomsDep) -> ChatMembers:
    """List who is in a room that the connection has joined, on all processes.

    Members of a process that was killed are listed for 30 seconds more.
    """
    _require_member(data.room, rooms)
    return ChatMembers(room=data.room, users=sorted(map(UUID, await server.members(PREFIX + data.room))))


@router.on("chat.send", emits={"chat.receive": ChatReceived})
@raises(NOT_JOINED)
async def send(
    data: ChatMessage, server: Server, rooms: RoomsDep, claims: VerifyPermissionDep, chat: ChatServiceDep
) -> ChatReceived:
    """Send a message to a room that the connection has joined.

    The ack means that the message is stored. All members receive it, including the sender.
    """
    _require_member(data.room, rooms)
    line = _received(await chat.say(claims.user_id, data))
    await server.emit("chat.receive", line, room=PREFIX + data.room)
    return line


@router.on("chat.history")
@raises(NOT_JOINED)
async def history(data: ChatHistoryQuery, rooms: RoomsDep, chat: ChatServiceDep) -> ChatHistory:
    """List messages of a room that the connection has joined, newest first."""
    _require_member(data.room, rooms)
    lines, more = await chat.history(data)
    return ChatHistory(records=[_received(line) for line in lines], before=lines[-1].id if more else None)


def _require_member(room: str, rooms: Collection[str]) -> None:
    if room not in rooms:
        raise PermissionDeniedError("Join the room first.", error="chat.not_joined")


def _received(line: ChatLine) -> ChatReceived:
    return ChatReceived(id=line.id, room=line.room, text=line.text, user=line.user_id, create_time=line.create_time)
