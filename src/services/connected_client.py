from uuid import UUID

from src.core.exceptions import NotFoundError
from src.core.realtime.connected_client import ConnectedClient as Connection
from src.core.realtime.rooms import user_room
from src.core.resources import Resources
from src.schemas.connected_client import ClientQuery, ConnectedClient, ConnectedClients
from src.services.actor import Actor
from src.services.user_admin import UserAdminService

MAXIMUM = 1000
USER, SESSION = "user:", "session:"


class ConnectedClientService:
    """Lists and disconnects the Socket.IO clients of all API processes."""

    def __init__(self, resources: Resources, users: UserAdminService) -> None:
        self.events = resources.events
        self.users = users

    async def list(self, query: ClientQuery) -> ConnectedClients:
        """The connected clients that match, by username."""
        room = user_room(query.user_id) if query.user_id else query.room
        found = await self.events.list_clients(room, MAXIMUM)
        clients, total = found.clients, found.total
        if query.user_id and query.room:  # a user's are few
            clients = [client for client in clients if query.room in client.rooms]
            total = len(clients)
        names = await self.users.names({user for client in clients if (user := _user_of(client))})
        records = [_describe(client, names) for client in clients]
        records.sort(key=lambda record: (record.username or "", record.id))
        return ConnectedClients(records=records[:MAXIMUM], total=total, missing=found.missing)

    async def disconnect(self, client_id: str, actor: Actor) -> None:
        """Disconnect a client. It may connect again as long as its session lives.

        Raises:
            NotFoundError: It is not connected.
            PermissionDeniedError: Its user holds more permissions than the actor.
        """
        found = [client for client in (await self.events.list_clients(client_id, 1)).clients if client.sid == client_id]
        user_id = _user_of(found[0]) if found else None
        if user_id is None:
            raise NotFoundError("Client not found.")
        await self.users.get_manageable(user_id, actor)
        await self.events.disconnect(client_id)


def _user_of(client: Connection) -> UUID | None:
    return next((UUID(room.removeprefix(USER)) for room in client.rooms if room.startswith(USER)), None)


def _describe(client: Connection, names: dict[UUID, str]) -> ConnectedClient:
    user_id = _user_of(client)
    sessions = (room.removeprefix(SESSION) for room in client.rooms if room.startswith(SESSION))
    return ConnectedClient(
        id=client.sid,
        user_id=user_id,
        username=names.get(user_id) if user_id else None,
        session_id=next(sessions, None),
        rooms=[room for room in client.rooms if not room.startswith((USER, SESSION))],
        process=client.process,
    )
