"""All tables and documents. Importing this package registers the tables in SQLModel's metadata, for migrations."""

from beanie import Document

from src.models.api_key import ApiKey
from src.models.audit import AuditLog
from src.models.chat import ChatLine
from src.models.email_link import EmailLink
from src.models.file import File
from src.models.idempotency_key import IdempotencyKey
from src.models.linked_identity import LinkedIdentity
from src.models.notice import Notice
from src.models.outbox import OutboxMessage
from src.models.permission_code import PermissionCode
from src.models.role import Role
from src.models.schedule import Schedule
from src.models.task_run import TaskRun
from src.models.user import User, UserRole
from src.models.user_factor import RecoveryCode, UserFactor

__all__ = [
    "DOCUMENTS",
    "ApiKey",
    "EmailLink",
    "File",
    "IdempotencyKey",
    "LinkedIdentity",
    "Notice",
    "OutboxMessage",
    "PermissionCode",
    "RecoveryCode",
    "Role",
    "Schedule",
    "TaskRun",
    "User",
    "UserFactor",
    "UserRole",
]

DOCUMENTS: list[type[Document]] = [AuditLog, ChatLine]
