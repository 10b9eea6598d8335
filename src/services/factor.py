from collections.abc import Sequence
from typing import Any
from uuid import UUID

from src.core.exceptions import BadRequestError, ConflictError, NotFoundError
from src.core.resources import Resources
from src.core.security.token import AccessClaims
from src.core.unit_of_work import UnitOfWork
from src.crud.factor_ticket import FactorTicketCRUD
from src.crud.user import UserCRUD
from src.crud.user_factor import RecoveryCodeCRUD, UserFactorCRUD
from src.models.user import User
from src.models.user_factor import FactorKind, UserFactor
from src.schemas.factor import FactorProof, PasskeyEnrolment, TotpEnrolment
from src.services.email import EmailService, SecurityNotice
from src.services.factor_proof import FactorProofService
from src.services.login_ways import LoginWays
from src.services.passkey import CHALLENGE_SECONDS
from src.services.permission import PermissionService
from src.services.recovery_code import hash_recovery_code, new_recovery_codes
from src.utils.uuid7 import uuid7

ENROLMENT_SECONDS = 600
ATTEMPTS = 10
FACTORS_PER_USER = 20
NAMES = {FactorKind.TOTP: "Authenticator app", FactorKind.PASSKEY: "Passkey"}


class FactorService:
    """Second factors of the user of a session. One that is added is no row until it was proved once."""

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.uow = uow
        self.resources = resources
        self.users = UserCRUD(uow.session)
        self.factors = UserFactorCRUD(uow.session)
        self.recovery_codes = RecoveryCodeCRUD(uow.session)
        self.enrolments = FactorTicketCRUD(resources.redis)
        self.proofs = FactorProofService(uow, resources)
        self.permissions = PermissionService(resources)
        self.emails = EmailService(uow, resources)

    async def list_of(self, user_id: UUID) -> Sequence[UserFactor]:
        """The user's factors, oldest first."""
        return await self.factors.of_user(user_id)

    async def count_recovery_codes(self, user_id: UUID) -> int:
        """How many recovery codes the user has left."""
        return await self.recovery_codes.count({"user_id": user_id})

    async def begin_totp(self, claims: AccessClaims, name: str | None) -> TotpEnrolment:
        """A new secret for an authenticator app."""
        from src.core.security import totp  # imported by the first use: it loads libraries

        user, secret = await self.users.get(claims.user_id), totp.new_secret()
        encrypted = self.proofs.box.encrypt(secret.encode(), user.id).hex()
        factor_id = await self._begin(claims, FactorKind.TOTP, name, ENROLMENT_SECONDS, secret=encrypted)
        uri = totp.provisioning_uri(secret, user.username, self.resources.settings.app.name)
        return TotpEnrolment(
            id=factor_id, secret=secret, uri=uri, qr_svg=totp.qr_svg(uri), expires_in=ENROLMENT_SECONDS
        )

    async def begin_passkey(self, claims: AccessClaims, name: str | None) -> PasskeyEnrolment:
        """What a browser needs to make a passkey."""
        factor_id = await self._begin(claims, FactorKind.PASSKEY, name, CHALLENGE_SECONDS)
        user = await self.users.get(claims.user_id)
        options = await self.proofs.passkeys.creation_options(user, _name(claims, factor_id))
        return PasskeyEnrolment(id=factor_id, options=options, expires_in=CHALLENGE_SECONDS)

    async def confirm(
        self, claims: AccessClaims, factor_id: UUID, data: FactorProof
    ) -> tuple[UserFactor, list[str] | None]:
        """Add a factor by its first proof; with the user's first factor, recovery codes.

        Raises:
            NotFoundError: The user of this session has begun no such factor, or too long ago, or tried it too often.
            BadRequestError: The proof is wrong.
            ConflictError: The user has too many factors, or the passkey is a factor already.
        """
        name = _name(claims, factor_id)
        enrolment = await self.enrolments.attempt(name, ATTEMPTS)
        fields = await self._verify(claims.user_id, name, enrolment, data) if enrolment else None
        if enrolment and fields is None:
            raise BadRequestError("The proof is wrong, or was used before.", error="auth.invalid_proof")
        if fields is None or not await self.enrolments.consume(name):
            raise NotFoundError("Factor not found.")
        await self.users.lock(claims.user_id)
        number = await self.factors.count({"user_id": claims.user_id})
        if number >= FACTORS_PER_USER:
            raise ConflictError(
                f"You have {FACTORS_PER_USER} factors, which is the limit: remove one.",
                error="factors.too_many",
                data={"limit": FACTORS_PER_USER},
            )
        common = {"id": factor_id, "user_id": claims.user_id, "kind": enrolment["kind"], "name": enrolment["name"]}
        factor = await self.factors.create({**common, **fields})
        self._tell(claims.user_id, "factor_added", factor.name)
        return factor, None if number else await self.renew_recovery_codes(claims.user_id)

    async def renew_recovery_codes(self, user_id: UUID) -> list[str]:
        """New recovery codes, in place of all before.

        Raises:
            ConflictError: The user has no factor that they could replace.
        """
        await self.users.lock(user_id)  # of two at once, the second replaces the codes of the first
        if not await self.factors.owners([user_id]):
            raise ConflictError("Add a factor first.", error="factors.none")
        codes = new_recovery_codes()
        await self.recovery_codes.replace(user_id, [hash_recovery_code(user_id, code) for code in codes])
        return codes

    async def remove(self, user_id: UUID, factor_id: UUID) -> UserFactor:
        """Remove a factor, and with the last one the recovery codes.

        Raises:
            NotFoundError: The user has no such factor.
            ConflictError: It is the last one, and the user must have one; or it is their only way to log in.
        """
        await self.users.lock(user_id)
        factor = await self.factors.get(factor_id, {"user_id": user_id})
        is_last = await self.factors.count({"user_id": user_id}) == 1
        if is_last and await self._must_have_one(user_id):
            raise ConflictError("You must have a factor: add another one first.", error="factors.last_one")
        if factor.kind == FactorKind.PASSKEY:
            await LoginWays(self.uow, self.resources).require_other(user_id, factor.id)
        await self.factors.delete(factor)
        if is_last:
            await self.recovery_codes.replace(user_id, [])
        self._tell(user_id, "factor_removed", factor.name)
        return factor

    async def remove_all(self, user: User) -> int:
        """Remove all of a user's factors and recovery codes; returns how many factors there were."""
        await self.recovery_codes.replace(user.id, [])
        number = await self.factors.delete_many({"user_id": user.id})
        if number:
            self._tell(user.id, "factor_removed", "")
        return number

    async def _begin(
        self, claims: AccessClaims, kind: FactorKind, name: str | None, seconds: int, **fields: str
    ) -> UUID:
        factor_id = uuid7()
        enrolment = {"kind": kind, "name": name or NAMES[kind], **fields}
        await self.enrolments.store(_name(claims, factor_id), enrolment, seconds)
        return factor_id

    async def _verify(
        self, user_id: UUID, name: str, enrolment: dict[str, str], data: FactorProof
    ) -> dict[str, Any] | None:
        """What is stored of a factor that was proved; None if it was not."""
        if enrolment["kind"] == FactorKind.PASSKEY:
            passkeys = self.proofs.passkeys
            return None if data.credential is None else await passkeys.verify_new(data.credential, name)
        from src.core.security import totp

        secret = self.proofs.box.decrypt(bytes.fromhex(enrolment["secret"]), user_id)
        if secret is None or data.code is None:
            return None
        step = totp.step_of(data.code.replace(" ", ""), secret.decode(), self.resources.tokens.now())
        return None if step is None else {"secret": self.proofs.box.encrypt(secret, user_id), "last_step": step}

    async def _must_have_one(self, user_id: UUID) -> bool:
        roles = await self.users.enabled_roles(user_id)
        return self.resources.settings.factors.is_required or any(role.requires_factor for role in roles)

    def _tell(self, user_id: UUID, notice: SecurityNotice, factor: str) -> None:
        """Tell the user by e-mail, and decide anew whether they must add a factor."""
        self.permissions.invalidate_user(self.uow, user_id)
        self.emails.send_notice(user_id, notice, factor=factor)


def _name(claims: AccessClaims, factor_id: UUID) -> str:
    """Under which an enrolment is stored: another session cannot continue it."""
    return f"enrolment:{claims.session_id}:{factor_id}"
