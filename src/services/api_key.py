from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from src.core.exceptions import ConflictError, InvalidInputError
from src.core.list_filters import PageRequest
from src.core.resources import Resources
from src.core.security.api_key import SHOWN_CHARACTERS, hash_key, new_key
from src.core.unit_of_work import UnitOfWork
from src.crud.api_key import ApiKeyCRUD
from src.crud.permission_code import PermissionCodeCRUD
from src.models.api_key import ApiKey
from src.schemas.api_key import ApiKeyCreate, ApiKeyResponse, ApiKeyRotate
from src.services.actor import Actor, OwnerScope
from src.services.login_only import requires_login
from src.services.permission import PermissionService
from src.services.user_admin import UserAdminService
from src.utils.date import utc_now


class ApiKeyService:
    """API keys of users and service accounts; a change takes effect on the next request with the key.

    Holders of `api_keys.manage`, whose scope includes all, revoke the keys of everybody whom they may manage, and make
    and rotate those of service accounts. Nobody else gets to see a key that acts in the name of a person.
    """

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.uow = uow
        self.keys = ApiKeyCRUD(uow.session)
        self.codes = PermissionCodeCRUD(uow.session)
        self.users = UserAdminService(uow, resources)
        self.permissions = PermissionService(resources)
        self.limit = resources.settings.auth.api_keys_per_user

    async def page(self, query: PageRequest, scope: OwnerScope) -> tuple[Sequence[ApiKeyResponse], int | None]:
        """One page of the keys in the scope."""
        return await self.keys.project(ApiKeyResponse).page(query, scope.where("user_id"))

    async def create(self, data: ApiKeyCreate, actor: Actor, scope: OwnerScope) -> tuple[ApiKey, str]:
        """Make a key, and return it with its row: it is stored as a hash only.

        Raises:
            InvalidInputError: A code does not exist or is not for keys, `expiresAt` is not in the future, or `userId`
                is another person's.
            PermissionDeniedError: The owner does not hold a code, or the actor may not manage the owner.
            NotFoundError: The owner does not exist.
            ConflictError: The owner has too many keys.
        """
        await self._check_codes(data.codes)
        _check_expiry(data.expires_at)
        owner = await self._get_owner(data.user_id, actor, scope)
        owner.require_all(set(data.codes))
        await self._check_limit(owner.user_id)
        key = new_key()
        fields = data.model_dump(exclude={"user_id"}) | {"user_id": owner.user_id}
        return await self.keys.create({**fields, "key_hash": hash_key(key), "start": key[:SHOWN_CHARACTERS]}), key

    async def rotate(self, key_id: UUID, data: ApiKeyRotate, actor: Actor, scope: OwnerScope) -> tuple[ApiKey, str]:
        """Replace a key by a new one, and return that with its row; the current one is accepted for a while.

        A key before the current one ends at once.

        Raises:
            NotFoundError: The key does not exist, or is outside the scope.
            InvalidInputError: The new key would have expired already, or its owner is another person.
            PermissionDeniedError: The actor may not manage the owner.
            ConflictError: The key was changed at the same time.
        """
        row = await self.keys.get(key_id, scope.where("user_id"))
        await self._get_owner(row.user_id, actor, scope)
        _check_expiry(data.expires_at or row.expires_at)
        overlap_ends = utc_now() + timedelta(seconds=data.overlap_seconds)
        key = new_key()
        changes = {
            "key_hash": hash_key(key),
            "start": key[:SHOWN_CHARACTERS],
            "expires_at": data.expires_at or row.expires_at,
            "previous_hash": row.key_hash,
            "previous_expires_at": min(overlap_ends, row.expires_at or overlap_ends),
        }
        self.permissions.invalidate_user(self.uow, row.user_id)
        return await self.keys.update(row, changes), key

    async def revoke(self, key_id: UUID, actor: Actor, scope: OwnerScope) -> ApiKey:
        """Delete a key.

        Raises:
            NotFoundError: The key does not exist, or is outside the scope.
            PermissionDeniedError: The actor may not manage the owner.
            ConflictError: The key was changed at the same time.
        """
        row = await self.keys.get(key_id, scope.where("user_id"))
        if row.user_id != actor.user_id:
            await self.users.get_manageable(row.user_id, actor)
        self.permissions.invalidate_user(self.uow, row.user_id)
        await self.keys.delete(row)
        return row

    async def _get_owner(self, user_id: UUID | None, actor: Actor, scope: OwnerScope) -> Actor:
        """Whom a key is made for: the actor, or a service account that they may manage."""
        if user_id in (None, actor.user_id):
            return actor
        scope.require(user_id)
        user = await self.users.get_manageable(user_id, actor)
        if not user.is_service_account:
            raise InvalidInputError("userId", "Only service accounts get keys from others.")
        return await self.permissions.get_actor(user.id)

    async def _check_codes(self, codes: Collection[str]) -> None:
        personal = sorted(filter(requires_login, codes))
        if personal:
            raise InvalidInputError("codes", f"No API key can hold {', '.join(personal)}.")
        unknown = await self.codes.unknown(codes)
        if unknown:
            raise InvalidInputError("codes", f"Unknown permission codes: {', '.join(sorted(unknown))}.")

    async def _check_limit(self, user_id: UUID) -> None:
        await self.users.users.lock(user_id)
        if await self.keys.count({"user_id": user_id}) >= self.limit:
            raise ConflictError(
                f"There are {self.limit} API keys of this account, which is the limit: revoke one.",
                error="api_keys.too_many",
                data={"limit": self.limit},
            )


def _check_expiry(expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= utc_now():
        raise InvalidInputError("expiresAt", "Must be in the future.")
