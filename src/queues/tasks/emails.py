"""E-mails. While the mail server is unavailable they are retried, for an hour as any task, and then dead letters.

A mail that is refused for now, or that the server may have, is sent five times at most. One that is refused for good
fails at once. Neither is kept as a dead letter: strangers choose the addresses.
"""

from collections.abc import Sequence
from typing import TypedDict
from uuid import UUID

from src.core.email.smtp import EmailDeferredError, EmailOutcomeUnknownError
from src.deps.email import EmailSenderDep
from src.queues.app import app
from src.services.email import SecurityNotice
from src.utils.language import Language


class _Options(TypedDict):
    ignore_result: bool
    autoretry_for: Sequence[type[Exception]]
    retry_backoff: int
    max_retries: int


# After 2, 4, 8 and 10 minutes at most: servers that defer unknown senders mostly take the mail then.
OPTIONS: _Options = {
    "ignore_result": True,
    "autoretry_for": (EmailDeferredError, EmailOutcomeUnknownError),
    "retry_backoff": 120,
    "max_retries": 4,
}


@app.task(name="emails.send_password_reset", **OPTIONS)
async def send_password_reset(secret_email: str, emails: EmailSenderDep, language: Language | None = None) -> None:
    """Send a link to set a new password, if the address is somebody's."""
    await emails.send_password_reset(secret_email, language)


@app.task(name="emails.send_verification", **OPTIONS)
async def send_verification(user_id: str, emails: EmailSenderDep, language: Language | None = None) -> None:
    """Send a link that confirms a user's address."""
    await emails.send_verification(UUID(user_id), language)


@app.task(name="emails.send_invitation", **OPTIONS)
async def send_invitation(invitation_id: str, emails: EmailSenderDep, language: Language | None = None) -> None:
    """Send the link of an invitation."""
    await emails.send_invitation(UUID(invitation_id), language)


@app.task(name="emails.send_notice", **OPTIONS)
async def send_notice(
    user_id: str,
    notice: SecurityNotice,
    details: dict[str, str],
    emails: EmailSenderDep,
    secret_email: str | None = None,
) -> None:
    """Tell a user what has happened to their account."""
    await emails.send_notice(UUID(user_id), notice, details, secret_email)


@app.task(name="emails.send_account_deleted", **OPTIONS)
async def send_account_deleted(secret_email: str, emails: EmailSenderDep, language: Language | None = None) -> None:
    """Tell somebody that their account was deleted."""
    await emails.send_account_deleted(secret_email, language)
