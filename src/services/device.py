import json
from datetime import UTC, datetime
from typing import Any

from src.core.exceptions import NotFoundError
from src.core.resources import Resources
from src.core.security.token import AccessClaims
from src.models.user import User
from src.schemas.session import DeviceResponse
from src.services.session import SessionService
from src.utils.device import device_name
from src.utils.username import canonical_username

# How `LoginThrottle` names devices, as opposed to addresses.
_PREFIX = "device:"


class DeviceService:
    """The devices that a user has logged in with during the last 90 days."""

    def __init__(self, resources: Resources) -> None:
        self.throttle = resources.throttle
        self.sessions = SessionService(resources)

    async def list(self, user: User, claims: AccessClaims) -> list[DeviceResponse]:
        """The user's devices, that of the last login first."""
        sessions = await self.sessions.list(user.id)
        devices_of_sessions = [session["device_id"] for session in sessions]
        current = next((each["device_id"] for each in sessions if each["id"] == claims.session_id), None)
        devices = []
        for key, (text, known_until) in (await self.throttle.devices(_account(user))).items():
            device_id = key.removeprefix(_PREFIX)
            described: dict[str, Any] = json.loads(text)
            devices.append(
                DeviceResponse(
                    id=device_id,
                    name=device_name(described["user_agent"]),
                    user_agent=described["user_agent"],
                    address=described["address"],
                    last_login_at=datetime.fromtimestamp(described["time"], UTC),
                    remembered_until=datetime.fromtimestamp(known_until, UTC),
                    sessions=devices_of_sessions.count(device_id),
                    current=device_id == current,
                )
            )
        return sorted(devices, key=lambda device: device.last_login_at, reverse=True)

    async def forget(self, user: User, device_id: str) -> None:
        """End the sessions of a device, and treat its next login as that of a new one.

        Raises:
            NotFoundError: The user has no such device.
        """
        sessions = [row["id"] for row in await self.sessions.list(user.id) if row["device_id"] == device_id]
        for session_id in sessions:
            await self.sessions.end_one(user.id, session_id)
        if not await self.throttle.forget_device(_account(user), _PREFIX + device_id) and not sessions:
            raise NotFoundError("Device not found.")


def _account(user: User) -> str:
    return canonical_username(user.username)
