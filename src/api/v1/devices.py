"""The devices that the current user has logged in with; these routes exist where `DEVICES_ENABLED` is set."""

from typing import Annotated

from fastapi import APIRouter, Path

from src.api.audited_route import AuditedRoute
from src.core.exceptions import NotFoundError, raises
from src.deps.auth import UserAccessJWTDep, UserDBDep
from src.deps.device import DeviceServiceDep
from src.schemas.response import Response, ok
from src.schemas.session import DeviceResponse

router = APIRouter(prefix="/auth/devices", tags=["Auth"], route_class=AuditedRoute)

DeviceId = Annotated[
    str,
    Path(
        alias="deviceId",
        pattern="^[0-9a-f]{64}$",
        description="Id of the device.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    ),
]


@router.get("")
async def list_devices(
    user: UserDBDep, claims: UserAccessJWTDep, devices: DeviceServiceDep
) -> Response[list[DeviceResponse]]:
    """List the devices that the current user has logged in with during the last 90 days, the last one first."""
    return ok(await devices.list(user, claims))


@router.delete("/{deviceId}")
@raises(NotFoundError("Device not found."))
async def forget_device(device_id: DeviceId, user: UserDBDep, devices: DeviceServiceDep) -> Response[None]:
    """End a device's sessions, and forget it: its next login is that of a new device."""
    await devices.forget(user, device_id)
    return ok(None)
