"""Demo data, inserted through the services. Everything is found again by its name, so running it twice adds nothing."""

import asyncio
import hashlib
import sys
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

from minio import Minio

from src.core.resources import Resources
from src.core.security.actor import current_actor_id
from src.core.unit_of_work import UnitOfWork
from src.crud.file import FileCRUD
from src.crud.notice import NoticeCRUD
from src.crud.permission import ALL_CODES
from src.crud.role import RoleCRUD
from src.crud.schedule import ScheduleCRUD
from src.crud.user import UserCRUD
from src.manage.stores import open_stores
from src.models.file import PREFIX, FileStatus
from src.schemas.notice import NoticeCreate
from src.schemas.role import RoleCreate
from src.schemas.schedule import ScheduleCreate
from src.schemas.user import OperatorUserCreate
from src.services.actor import Actor
from src.services.notice import NoticeService
from src.services.permission import PermissionService
from src.services.role import RoleService
from src.services.schedule import ScheduleService
from src.services.user_operator import UserOperatorService
from src.utils.date import utc_now
from src.utils.uuid7 import uuid7

PASSWORD = "demo-users-only"  # noqa: S105 - printed by the command, and refused where it would matter
USERS = 50
NOTICES = 20
FILES = 10
NAMES = ["Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Margaret", "Dennis", "Frances", "Niklaus"]
FAMILY_NAMES = ["Keller", "Moreau", "Rossi", "Novak", "Tanaka"]
ROLES = {
    "demo.reader": ["GET:/api/v1/notices", "GET:/api/v1/notices/{noticeId}", "SOCKET:notice.get"],
    "demo.editor": ["GET:/api/v1/notices", "POST:/api/v1/notices", "PATCH:/api/v1/notices/{noticeId}"],
    "demo.operator": ["GET:/api/v1/tasks", "GET:/api/v1/tasks/runs", "GET:/api/v1/schedules"],
}
SCHEDULES: dict[str, dict[str, Any]] = {
    "Demo: every five minutes": {"kind": "interval", "every": 5, "period": "minutes"},
    "Demo: on weekdays at nine": {"kind": "crontab", "crontab": "0 9 * * 1-5", "timezone": "Europe/Berlin"},
    "Demo: at sunset in Lisbon": {"kind": "solar", "event": "sunset", "latitude": 38.72, "longitude": -9.14},
}


async def insert() -> dict[str, int]:
    """Insert what is missing; returns how many of each there were."""
    async with open_stores() as resources, resources.unit_of_work() as uow:
        admin = next(iter(await UserCRUD(uow.session).lock_admins()), None)
        if admin is None:
            sys.exit("There is no administrator yet. Run scripts/initdb.sh.")
        current_actor_id.set(admin.id)
        actor = Actor(admin.id, frozenset({ALL_CODES}))
        return {
            "Roles": await insert_roles(uow, resources, actor),
            "Users": await insert_users(uow, resources),
            "Notices": await insert_notices(uow, admin.id),
            "Schedules": await insert_schedules(uow, resources, actor),
            "Files": await insert_files(uow, resources, admin.id),
        }


async def insert_roles(uow: UnitOfWork, resources: Resources, actor: Actor) -> int:
    """One role for readers, one for editors, one for operators."""
    service = RoleService(uow, PermissionService(resources))
    kept = {role.code for role in await RoleCRUD(uow.session).by_codes(list(ROLES))}
    missing = {code: codes for code, codes in ROLES.items() if code not in kept}
    for code, codes in missing.items():
        role = RoleCreate(name=code.replace(".", " ").title(), code=code, interface_permissions=codes)
        await service.create(role, actor)
    return len(missing)


async def insert_users(uow: UnitOfWork, resources: Resources) -> int:
    """Fifty users, each with one of the roles."""
    service, roles, inserted = UserOperatorService(uow, resources), list(ROLES), 0
    for number in range(USERS):
        username = f"demo{number + 1:02}"
        if await service.users.exists({"username": username}):
            continue
        name = f"{NAMES[number % len(NAMES)]} {FAMILY_NAMES[number % len(FAMILY_NAMES)]}"
        role = roles[number % len(roles)]
        user = OperatorUserCreate(name=name, email=f"{username}@example.com", username=username, roles=[role])
        await service.create(user, PASSWORD)
        inserted += 1
    return inserted


async def insert_notices(uow: UnitOfWork, admin_id: UUID) -> int:
    """Twenty notices, which expire within a month."""
    service, inserted = NoticeService(uow), 0
    for number in range(1, NOTICES + 1):
        title = f"Demo notice {number}"
        if await NoticeCRUD(uow.session).exists({"title": title}):
            continue
        expires_at = utc_now() + timedelta(days=10 + number)
        await service.publish(
            NoticeCreate(title=title, body="Inserted by manage.sh seed.", expires_at=expires_at), admin_id
        )
        inserted += 1
    return inserted


async def insert_schedules(uow: UnitOfWork, resources: Resources, actor: Actor) -> int:
    """One schedule of each recurring kind."""
    service, inserted = ScheduleService(uow, resources), 0
    for name, timing in SCHEDULES.items():
        if await ScheduleCRUD(uow.session).exists({"name": name}):
            continue
        await service.create(ScheduleCreate.model_validate({"name": name, "task": "system.ping", **timing}), actor)
        inserted += 1
    return inserted


async def insert_files(uow: UnitOfWork, resources: Resources, admin_id: UUID) -> int:
    """Ten text files of the administrator. Uploaded directly: presigned URLs may be reachable only from browsers."""
    s3, bucket = Minio(**resources.settings.s3.client_options()), resources.settings.s3.bucket
    files, inserted = FileCRUD(uow.session), 0
    for number in range(1, FILES + 1):
        filename = f"demo-{number}.txt"
        if await files.exists({"filename": filename, "owner_id": admin_id}):
            continue
        content, file_id = f"Demo file {number}\n".encode() * 100 * number, uuid7()
        await asyncio.to_thread(s3.put_object, bucket, f"{PREFIX}{file_id}", BytesIO(content), len(content))
        await files.create(
            {
                "id": file_id,
                "owner_id": admin_id,
                "filename": filename,
                "content_type": "text/plain",
                "size_bytes": len(content),
                "checksum_sha256": hashlib.sha256(content).hexdigest(),
                "status": FileStatus.READY,
                "upload_id": "",
                "part_count": 1,
                "expires_at": utc_now(),
            }
        )
        inserted += 1
    return inserted
