from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConnectedClient:
    """A connection to the namespace `/`.

    Attributes:
        sid: Its id, which is a room as well: `disconnect` takes it.
        process: Names the process that it is connected to.
        rooms: The other rooms that it is in.
    """

    sid: str
    process: str
    rooms: Sequence[str]


@dataclass(frozen=True, slots=True)
class ClientList:
    """Connected clients, and how many there are.

    Attributes:
        missing: How many processes did not answer.
    """

    clients: Sequence[ConnectedClient]
    total: int
    missing: int = 0
