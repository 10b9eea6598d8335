import secrets
from typing import Any
from uuid import UUID

import structlog
from pydantic import TypeAdapter, ValidationError

from src.core.config.identity.oidc import OidcProviderSettings
from src.core.exceptions import ConflictError, UnauthorizedError
from src.core.oidc.errors import OidcNotLinkedError
from src.core.oidc.identity import ProviderIdentity
from src.core.resources import Resources
from src.core.security.audit import AuditEntry
from src.core.unit_of_work import UnitOfWork
from src.crud.linked_identity import LinkedIdentityCRUD
from src.models.linked_identity import LinkedIdentity
from src.models.user import User
from src.schemas.user import Email, Name, Username
from src.services.user import UserService
from src.utils.date import utc_now
from src.utils.language import Language

log = structlog.get_logger(__name__)

# No mail arrives there: the zone is reserved. The username makes the address unique.
NO_EMAIL = "{username}@no-email.invalid"
ATTEMPTS = 5

_EMAIL, _NAME, _USERNAME = (TypeAdapter[str](each) for each in (Email, Name, Username))


class OidcAccountService(UserService):
    """The accounts of people who log in with a provider: found by its identity alone, never by an e-mail address."""

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        super().__init__(uow, resources)
        self.identities = LinkedIdentityCRUD(uow.session)

    async def log_in(
        self, identity: ProviderIdentity, settings: OidcProviderSettings, language: Language | None, entry: AuditEntry
    ) -> User:
        """The user whose identity it is, or a new one where people may sign up; with the roles of the mapping.

        Raises:
            OidcNotLinkedError: It is nobody's, and people may not sign up, or the address belongs to an account.
            UnauthorizedError: The user is disabled.
        """
        linked = await self.identities.find_subject(identity.issuer, identity.subject)
        if linked is None:
            user = await self._sign_up(identity, settings, language)
            linked = await self._insert(user.id, identity)
            entry.details["created"] = True
        else:
            await self.users.lock(linked.user_id)  # of two logins at once, the second finds the roles of the first
            user = await self.get(linked.user_id)
        entry.actor_id = user.id
        entry.details["identityId"] = str(linked.id)
        if not user.status:
            raise UnauthorizedError
        await self.identities.update(linked, {"last_used_at": utc_now(), **_shown(identity)})
        await self._map_roles(user, identity, settings, entry)
        return user

    async def link(self, user_id: UUID, identity: ProviderIdentity, display_name: str) -> LinkedIdentity:
        """Link an identity to the account of a user who is logged in, and tell them by e-mail.

        Raises:
            ConflictError: It is somebody else's.
            UnauthorizedError: The user is disabled.
        """
        user = await self.users.find(user_id)
        if user is None or not user.status:
            raise UnauthorizedError
        linked = await self.identities.find_subject(identity.issuer, identity.subject)
        if linked is None:
            linked = await self._insert(user_id, identity)
            self.emails.send_notice(user_id, "identity_linked", provider=display_name)
        elif linked.user_id != user_id:
            raise ConflictError("This identity is linked to another account.", error="auth.oidc_taken")
        return linked

    async def _insert(self, user_id: UUID, identity: ProviderIdentity) -> LinkedIdentity:
        fields = {"user_id": user_id, "issuer": identity.issuer, "subject": identity.subject, **_shown(identity)}
        return await self.identities.create(fields)

    async def _sign_up(
        self, identity: ProviderIdentity, settings: OidcProviderSettings, language: Language | None
    ) -> User:
        """Create a user without a password. A confirmed address becomes theirs, unless it is somebody's already."""
        email = _checked(_EMAIL, identity.verified_email)
        if not settings.allow_sign_up or (email and await self.users.find_by_email(email)):
            log.info("oidc_not_linked", provider=identity.provider)
            raise OidcNotLinkedError
        wanted = identity.text("preferred_username"), (email or "").partition("@")[0]
        name = next(filter(None, (_checked(_USERNAME, each) for each in wanted)), "user")
        others = [f"{name[:40]}-{secrets.token_hex(3)}" for _ in range(ATTEMPTS)]
        for username in ([] if name == "user" else [name]) + others:
            fields: dict[str, Any] = {
                "username": username,
                "name": _checked(_NAME, identity.text("name")) or username,
                "language": language,
                "email": email or NO_EMAIL.format(username=username),
                "email_pending": email is None,
                "email_verified_at": utc_now() if email else None,
            }
            try:
                async with self.uow.savepoint():
                    return await self.insert(fields, "")
            except ConflictError:
                continue
        raise OidcNotLinkedError  # the address became somebody's meanwhile

    async def _map_roles(
        self, user: User, identity: ProviderIdentity, settings: OidcProviderSettings, entry: AuditEntry
    ) -> None:
        """Give and take the roles that the mapping names; those that nobody has created are left out."""
        managed = {code for codes in settings.roles.values() for code in codes}
        if not managed:
            return
        wanted = await self.roles.by_codes(sorted(identity.mapped_roles(settings)))
        held = await self.users.roles(user.id)
        new = {role.code: role.id for role in [*(role for role in held if role.code not in managed), *wanted]}
        gained, lost = (
            sorted(new.keys() - {role.code for role in held}),
            sorted({role.code for role in held} - new.keys()),
        )
        if gained or lost:
            await self.users.replace_roles(user.id, list(new.values()))
            self.reload_permissions(user)
            entry.details |= {"gained": gained, "lost": lost}


def _shown(identity: ProviderIdentity) -> dict[str, Any]:
    """What helps its owner to recognise an identity."""
    return {"provider": identity.provider, "email": _checked(_EMAIL, identity.verified_email)}


def _checked(adapter: TypeAdapter[str], value: str | None) -> str | None:
    """The value as registration would take it; None if it would not."""
    try:
        return adapter.validate_python(value or "")
    except ValidationError:
        return None
