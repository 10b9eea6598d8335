import time

from src.core.exceptions import BadRequestError, InvalidInputError
from src.core.resources import Resources
from src.core.security.credential import Credential
from src.services.challenge import ChallengeService
from src.utils.password import hash_password, verify_password
from src.utils.password_policy import weakness


class PasswordService:
    """Opens encrypted passwords, and makes hashes of those that may be set."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.challenges = ChallengeService(resources.settings.auth, resources.redis)

    async def open(self, ciphertext: str, kid: str) -> str | None:
        """The password inside; None when it was not encrypted for us, or its challenge is spent or too old."""
        credential = await self.resources.hashing.run(self.resources.credentials.open, ciphertext, kid)
        if credential is None or not await self.challenges.spend(credential.challenge, int(time.time())):
            return None
        return credential.password

    async def verify(self, ciphertext: str, kid: str, hashed: str) -> str | None:
        """Whether the password inside fits: None unless it does, then a hash to store instead, or nothing.

        It takes equally long whatever is wrong with the ciphertext.
        """
        open_and_verify = self._open_and_verify
        credential, replacement = await self.resources.hashing.run(open_and_verify, ciphertext, kid, hashed)
        if credential is None or not await self.challenges.spend(credential.challenge, int(time.time())):
            return None
        return replacement

    async def verify_plain(self, password: str, hashed: str) -> str | None:
        """The same for a password that was sent as it is."""
        return await self.resources.hashing.run(_verify, password, hashed)

    def _open_and_verify(self, ciphertext: str, kid: str, hashed: str) -> tuple[Credential | None, str | None]:
        """Both in one turn of a thread."""
        credential = self.resources.credentials.open(ciphertext, kid)
        return credential, _verify("" if credential is None else credential.password, hashed)

    async def hash_new(self, field: str, ciphertext: str, kid: str) -> str:
        """The hash of a new password.

        Args:
            field: The name of the input, for the error.
            ciphertext: As the client sent it.
            kid: As the client sent it.

        Raises:
            BadRequestError: The ciphertext cannot be opened.
            InvalidInputError: The password is too weak.
        """
        password = await self.open(ciphertext, kid)
        if password is None:
            raise BadRequestError("The password was not encrypted with a fresh challenge.", error="auth.bad_ciphertext")
        reason = weakness(password)
        if reason is not None:
            raise InvalidInputError(field, f"The password {reason}.")
        return await self.resources.hashing.run(hash_password, password)


def _verify(password: str, hashed: str) -> str | None:
    fits, replacement = verify_password(password, hashed)
    return replacement or "" if fits else None
