import re
from collections.abc import Sequence
from typing import Any

from src.core.resources import Resources
from src.core.security.secret_box import SecretBox
from src.core.unit_of_work import UnitOfWork
from src.crud.user_factor import RecoveryCodeCRUD, UserFactorCRUD
from src.models.user import User
from src.models.user_factor import FactorKind, UserFactor
from src.schemas.factor_challenge import ProofKind, ProofOptions
from src.services.email import EmailService
from src.services.passkey import PasskeyService
from src.services.recovery_code import hash_recovery_code

_TOTP = re.compile(r"[0-9]{6}")


class FactorProofService:
    """Verifies second factors; whatever is proved with is used up with the transaction."""

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.resources = resources
        self.factors = UserFactorCRUD(uow.session)
        self.recovery_codes = RecoveryCodeCRUD(uow.session)
        self.passkeys = PasskeyService(uow, resources)
        self.emails = EmailService(uow, resources)
        self.box = SecretBox(resources.settings.factors)

    async def options(self, user: User, purpose: str) -> ProofOptions:
        """By what the user can prove a second factor, for this purpose; no kinds if they have none."""
        factors = await self.factors.of_user(user.id)
        kinds: list[ProofKind] = []
        if any(factor.kind == FactorKind.TOTP for factor in factors):
            kinds.append("totp")
        passkeys = [factor for factor in factors if factor.kind == FactorKind.PASSKEY and self.has_passkeys]
        if passkeys:
            kinds.append("passkey")
        if factors and await self.recovery_codes.exists({"user_id": user.id}):
            kinds.append("recovery_code")
        options = await self.passkeys.request_options(purpose, passkeys) if passkeys else None
        return ProofOptions(kinds=kinds, passkey_options=options)

    @property
    def has_passkeys(self) -> bool:
        """Whether there are passkeys with these settings."""
        return self.resources.settings.has_passkeys

    async def verify(
        self, user: User, purpose: str, code: str | None, credential: dict[str, Any] | None
    ) -> ProofKind | None:
        """By what the user has proved a second factor; None if it is wrong, or was used before."""
        if credential is not None:
            is_right = self.has_passkeys and await self.passkeys.verify(credential, purpose, user.id)
            return "passkey" if is_right else None
        digits = re.sub(r"\s", "", code or "")
        if _TOTP.fullmatch(digits):
            factors = await self.factors.of_user(user.id, FactorKind.TOTP)
            return "totp" if await self._verify_totp(factors, digits) else None
        return "recovery_code" if await self._use_recovery_code(user, code or "") else None

    async def _verify_totp(self, factors: Sequence[UserFactor], code: str) -> bool:
        from src.core.security.totp import step_of  # imported by the first use: it loads libraries

        for factor in factors:
            secret = self.box.decrypt(factor.secret or b"", factor.user_id)
            step = None if secret is None else step_of(code, secret.decode(), self.resources.tokens.now())
            if secret is None or step is None:
                continue
            # Encrypted anew: with the current key, if it was with the previous one.
            if await self.factors.accept_step(factor.id, step, self.box.encrypt(secret, factor.user_id)):
                return True
        return False

    async def _use_recovery_code(self, user: User, code: str) -> bool:
        is_used = await self.recovery_codes.use(user.id, hash_recovery_code(user.id, code))
        if is_used:
            left = await self.recovery_codes.count({"user_id": user.id})
            self.emails.send_notice(user.id, "recovery_code_used", left=str(left))
        return is_used
