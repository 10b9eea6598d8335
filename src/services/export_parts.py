"""What an export of an account holds: a JSON file for each part. A feature adds a line to `TABLES` or `COLLECTIONS`."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from src.core.resources import Resources
from src.crud.api_key import ApiKeyCRUD
from src.crud.audit import AuditCRUD
from src.crud.chat import ChatCRUD
from src.crud.file import FileCRUD
from src.crud.linked_identity import LinkedIdentityCRUD
from src.crud.notice import NoticeCRUD
from src.crud.query.list_queries import ListQueries
from src.crud.schedule import ScheduleCRUD
from src.crud.task_run import TaskRunCRUD
from src.crud.user_factor import UserFactorCRUD
from src.schemas.account import ExportedAuditEntry, ExportedMessage, ExportedOwnEntry, ExportedRun
from src.schemas.api_key import ApiKeyResponse
from src.schemas.factor import FactorResponse
from src.schemas.file import FileSummary
from src.schemas.notice import NoticeResponse
from src.schemas.oidc import LinkedIdentityResponse
from src.schemas.schedule import ScheduleResponse
from src.schemas.session import SessionResponse
from src.services.profile import ProfileService
from src.services.session import SessionService

BATCH = 500

# By the name of the part: the rows, the field that says whose they are, and what is exported of them.
TABLES: dict[str, tuple[type[Any], str, type[BaseModel]]] = {
    "api-keys": (ApiKeyCRUD, "user_id", ApiKeyResponse),
    "files": (FileCRUD, "owner_id", FileSummary),
    "factors": (UserFactorCRUD, "user_id", FactorResponse),
    "linked-identities": (LinkedIdentityCRUD, "user_id", LinkedIdentityResponse),
    "notices": (NoticeCRUD, "created_by", NoticeResponse),
    "schedules": (ScheduleCRUD, "created_by", ScheduleResponse),
    "runs": (TaskRunCRUD, "requested_by", ExportedRun),
}
COLLECTIONS: dict[str, tuple[type[Any], str, type[BaseModel]]] = {
    "chat-messages": (ChatCRUD, "user_id", ExportedMessage),
    "audit-log": (AuditCRUD, "actor_id", ExportedOwnEntry),
    "audit-log-about-you": (AuditCRUD, "target.userId", ExportedAuditEntry),
}

# Exports are files of the user, too: the one that is being written, and earlier ones.
NO_EXPORTS = {"files": {"delete_at": None}}

Records = AsyncGenerator[list[BaseModel]]


async def export_parts(resources: Resources, user_id: UUID) -> AsyncGenerator[tuple[str, Records]]:
    """The parts of a user's export, each by its name with its records in batches.

    Rows are read in order of their ids, `BATCH` at a time: an account of any size takes the memory of one batch.

    Raises:
        UnauthorizedError: The user was deleted or disabled.
    """
    yield "profile", _batch(await ProfileService(resources).get(user_id))
    sessions = await SessionService(resources).list(user_id)
    yield "sessions", _batch(*(SessionResponse.model_validate({**row, "current": False}) for row in sessions))
    for name, (crud, owner, schema) in TABLES.items():
        async with resources.read_sessions() as session:
            yield name, _rows(crud(session), {owner: user_id, **NO_EXPORTS.get(name, {})}, schema)
    for name, (crud, owner, schema) in COLLECTIONS.items():
        whose = user_id if owner in crud.model.model_fields else str(user_id)
        yield name, _rows(crud(resources.documents), {owner: whose}, schema)


async def _rows(rows: ListQueries[Any], where: Mapping[str, Any], schema: type[BaseModel]) -> Records:
    after: dict[str, Any] = {}
    while batch := await rows.list({**where, **after}, order=("id",), limit=BATCH):
        yield [schema.model_validate(row) for row in batch]
        after = {"id__gt": batch[-1].id}


async def _batch(*records: BaseModel) -> Records:
    yield list(records)
