"""E-mails. A mail server that is unavailable is an outage, which is retried; a refused mail is a dead letter."""

from uuid import UUID

from src.deps.email import EmailSenderDep
from src.queues.app import app
from src.services.email import SecurityNotice
from src.utils.language import Language


@app.task(name="emails.send_password_reset", ignore_result=True)
async def send_password_reset(secret_email: str, emails: EmailSenderDep, language: Language | None = None) -> None:
    """Send a link to set a new password, if the address is somebody's."""
    await emails.send_password_reset(secret_email, language)


@app.task(name="emails.send_verification", ignore_result=True)
async def send_verification(user_id: str, emails: EmailSenderDep, language: Language | None = None) -> None:
    """Send a link that confirms a user's address."""
    await emails.send_verification(UUID(user_id), language)


@app.task(name="emails.send_invitation", ignore_result=True)
async def send_invitation(invitation_id: str, emails: EmailSenderDep, language: Language | None = None) -> None:
    """Send the link of an invitation."""
    await emails.send_invitation(UUID(invitation_id), language)


@app.task(name="emails.send_notice", ignore_result=True)
async def send_notice(
    user_id: str,
    notice: SecurityNotice,
    details: dict[str, str],
    emails: EmailSenderDep,
    secret_email: str | None = None,
) -> None:
    """Tell a user what has happened to their account."""
    await emails.send_notice(UUID(user_id), notice, details, secret_email)
