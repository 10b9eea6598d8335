"""The client of a login, and the tokens that it gets."""

import json
from dataclasses import dataclass
from uuid import UUID

from src.core.security.throttle import LoginClient
from src.utils.address import network_of


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """The client that a request comes from; `device` is the token that an earlier login handed out, if any."""

    user_agent: str
    address: str
    device: str = ""

    @property
    def login(self) -> LoginClient:
        """The client, as failed logins are counted."""
        return LoginClient(network_of(self.address), self.device)

    def describe(self, now: int) -> str:
        """What is remembered of its device, as JSON, for `DeviceService`."""
        return json.dumps({"user_agent": self.user_agent[:256], "address": self.address, "time": now})


@dataclass(frozen=True, slots=True)
class TokenPair:
    """The tokens of a login or a refresh; lifetimes in seconds. Only logins hand out a device token."""

    user_id: UUID
    session_id: str
    access_token: str
    refresh_token: str
    expires_in: int
    refresh_expires_in: int
    device_token: str = ""
