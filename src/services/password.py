import time

from src.core.exceptions import BadRequestError, InvalidInputError
from src.core.resources import Resources
from src.core.security.credential import Credential
from src.services.challenge import ChallengeService
from src.utils.password import hash_password, verify_password
from src.utils.password_policy import weakness


class PasswordService:
    """Decrypts, verifies and hashes passwords."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.challenges = ChallengeService(resources.settings.auth, resources.redis)

    async def decrypt(self, ciphertext: str, kid: str) -> str | None:
        """The decrypted password; None if the key is unknown, or the challenge was used or has expired."""
        credential = await self.resources.hashing.run(self.resources.credentials.open, ciphertext, kid)
        if credential is None or not await self.challenges.redeem(credential.challenge, int(time.time())):
            return None
        return credential.password

    async def verify(self, ciphertext: str, kid: str, hashed: str) -> str | None:
        """Verify an encrypted password; takes equally long whatever is wrong with the ciphertext.

        Returns:
            None if the password is wrong. Otherwise a new hash to store if the old one is outdated, else "".
        """
        decrypt_and_verify = self._decrypt_and_verify
        credential, new_hash = await self.resources.hashing.run(decrypt_and_verify, ciphertext, kid, hashed)
        if credential is None or not await self.challenges.redeem(credential.challenge, int(time.time())):
            return None
        return new_hash

    async def verify_plain(self, password: str, hashed: str) -> str | None:
        """`verify` with a plain-text password."""
        return await self.resources.hashing.run(_verify, password, hashed)

    def _decrypt_and_verify(self, ciphertext: str, kid: str, hashed: str) -> tuple[Credential | None, str | None]:
        """Both in one call, so that a thread is waited for only once."""
        credential = self.resources.credentials.open(ciphertext, kid)
        return credential, _verify("" if credential is None else credential.password, hashed)

    async def hash_new(self, field: str, ciphertext: str, kid: str) -> str:
        """The hash of a new password; `field` is the name of the input, for the error.

        Raises:
            BadRequestError: The ciphertext cannot be decrypted.
            InvalidInputError: The password is too weak.
        """
        password = await self.decrypt(ciphertext, kid)
        if password is None:
            raise BadRequestError(
                "The password was not encrypted with the current key and an unused challenge.",
                error="auth.bad_ciphertext",
            )
        return await self.hash_plain(field, password)

    async def hash_plain(self, field: str, password: str) -> str:
        """`hash_new` with a plain-text password.

        Raises:
            InvalidInputError: The password is too weak.
        """
        reason = weakness(password)
        if reason is not None:
            raise InvalidInputError(field, f"The password {reason}.")
        return await self.resources.hashing.run(hash_password, password)


def _verify(password: str, hashed: str) -> str | None:
    is_right, new_hash = verify_password(password, hashed)
    return new_hash or "" if is_right else None
