from uuid import UUID

from src.core.security.throttle import Attempt
from src.models.email_link import LinkPurpose
from src.models.user import User
from src.schemas.email import PasswordReset
from src.services.email_link import EmailLinkService, InvalidLinkError
from src.services.user import UserService
from src.utils.date import utc_now
from src.utils.language import Language


class AccountService(UserService):
    """What people do with their account by links in e-mails."""

    async def reset_password(self, data: PasswordReset, language: Language | None) -> User:
        """Set the password of the account that a link is about, end all its sessions, and let its owner log in.

        Wrong codes of second factors still count: whoever reads the e-mail gets no further attempts to guess them.

        Raises:
            InvalidLinkError: The link is not valid.
            BadRequestError: The password cannot be decrypted.
            InvalidInputError: The password is too weak.
        """
        user = await EmailLinkService(self.uow).redeem_for_user(LinkPurpose.RESET_PASSWORD, data.token)
        hashed = await self.passwords.hash_new("password", data.password, data.kid)
        await self.replace_password(user, hashed, must_change=False)
        self.uow.after_commit("unlock", lambda: self.resources.throttle.unlock(user.username_key, [Attempt.LOGIN]))
        return await self._confirm(user, language)

    async def verify_email(self, user_id: UUID, token: str, language: Language | None) -> User:
        """Note that the address of a user is theirs, by a link about their account.

        Raises:
            InvalidLinkError: The link is not valid, or about another account: somebody else may have typed the address.
            ConflictError: Meanwhile the address is somebody else's.
        """
        user = await EmailLinkService(self.uow).redeem_for_user(LinkPurpose.VERIFY_EMAIL, token)
        if user.id != user_id:
            raise InvalidLinkError
        return await self._confirm(user, language)

    async def _confirm(self, user: User, language: Language | None) -> User:
        """The user has read an e-mail to this address, in a browser with this language."""
        changes = {"email_verified_at": utc_now(), "email_pending": False, "language": language or user.language}
        return await self.users.update(user, changes)
