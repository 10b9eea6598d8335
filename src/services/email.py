from typing import Any, Literal
from uuid import UUID

from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.models.user import User
from src.utils.date import utc_now
from src.utils.language import Language

SecurityNotice = Literal[
    "new_device",
    "password_changed",
    "email_changed",
    "identity_linked",
    "identity_unlinked",
    "factor_added",
    "factor_removed",
    "recovery_code_used",
    "wrong_codes",
    "acted_as",
    "deletion_requested",
    "export_ready",
]


class EmailService:
    """Asks for e-mails, which tasks write and send after the commit. Does nothing where e-mail is not configured.

    What is asked for does not depend on whether an address is known: the tasks find out, and neither the response nor
    its time tells. Arguments and details whose names begin with `secret_` are masked in the run history. How many mails
    an address gets is decided by `EmailLinkService`, how often a mail is tried again by the tasks.
    """

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.uow = uow
        self.settings = resources.settings.email

    @property
    def enabled(self) -> bool:
        """Whether e-mails are sent."""
        return self.settings.enabled

    def send_password_reset(self, email: str, language: Language | None) -> None:
        """Send a link to set a new password, if the address is somebody's."""
        self._enqueue("emails.send_password_reset", secret_email=email, language=language)

    def send_verification(self, user_id: UUID, language: Language | None = None) -> None:
        """Send a link that confirms the user's address, to that address."""
        self._enqueue("emails.send_verification", user_id=str(user_id), language=language)

    def send_invitation(self, invitation_id: UUID, language: Language | None) -> None:
        """Send the link of an invitation."""
        self._enqueue("emails.send_invitation", invitation_id=str(invitation_id), language=language)

    def send_notice(self, user_id: UUID, notice: SecurityNotice, *, to: str | None = None, **details: str) -> None:
        """Tell a user what has happened to their account, at their address or at another one that was theirs.

        Args:
            user_id: The user.
            notice: What has happened.
            to: The other address.
            details: Values of the mail; who somebody is, and where, by a name that begins with `secret_`.
        """
        arguments = {"user_id": str(user_id), "notice": notice, "details": {"time": _now(), **details}}
        self._enqueue("emails.send_notice", **arguments, **({"secret_email": to} if to else {}))

    def send_account_deleted(self, user: User) -> None:
        """Tell a user that their account was deleted; unlike notices, it does not look the user up."""
        if not user.email_pending and not user.is_service_account:
            self._enqueue("emails.send_account_deleted", secret_email=user.email, language=user.language)

    def _enqueue(self, task: str, **arguments: Any) -> None:
        if self.enabled:
            self.uow.enqueue(task, **arguments)


def _now() -> str:
    return f"{utc_now():%Y-%m-%d %H:%M} UTC"
