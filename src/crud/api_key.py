from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from sqlmodel import and_, col, or_, select, update

from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.api_key import ApiKey
from src.models.user import User

# How exact `last_used_at` is.
LAST_USED_RESOLUTION = timedelta(minutes=1)


class ApiKeyCRUD(BaseSQLModelCRUD[ApiKey]):
    """API keys."""

    model: ClassVar[type[ApiKey]] = ApiKey

    async def find_live(self, key_hash: str, now: datetime) -> ApiKey | None:
        """The key with this hash, or None if it does not exist, has expired, or belongs to a disabled user."""
        expires_at, previous_expires_at = col(ApiKey.expires_at), col(ApiKey.previous_expires_at)
        current = and_(ApiKey.key_hash == key_hash, or_(expires_at.is_(None), expires_at > now))
        previous = and_(ApiKey.previous_hash == key_hash, previous_expires_at > now)
        live = select(ApiKey).join(User, col(User.id) == ApiKey.user_id).where(or_(current, previous))
        return (await self.session.exec(live.where(col(User.status).is_(True)))).first()

    async def touch_last_used(self, key_id: UUID, now: datetime) -> None:
        """Set when the key was last used; does nothing if that is less than a minute ago, or the row is locked."""
        last = col(ApiKey.last_used_at)
        outdated = select(ApiKey.id).where(ApiKey.id == key_id, or_(last.is_(None), last < now - LAST_USED_RESOLUTION))
        free = outdated.with_for_update(skip_locked=True)
        changes = {"last_used_at": now, "update_time": ApiKey.update_time}
        await self.session.exec(update(ApiKey).where(col(ApiKey.id).in_(free)).values(changes))
