import socket
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid, parseaddr
from typing import TYPE_CHECKING

from email_validator import EmailNotValidError, validate_email

from src.core.config.identity.email import EmailSettings
from src.core.email.rendering import Mail
from src.core.exceptions import ServiceUnavailableError

if TYPE_CHECKING:
    from src.core.email.client import MailClient

PERMANENT = 500
CLOSING = 421


class EmailRejectedError(Exception):
    """The mail server refused a mail for good, or the address is none."""


class EmailDeferredError(Exception):
    """The mail server refuses this mail for now, as from unknown senders or to a full mailbox; it takes others."""


class EmailOutcomeUnknownError(Exception):
    """The mail server may have the mail: the connection ended before its reply."""


async def send(settings: EmailSettings, recipient: str, mail: Mail) -> None:
    """Hand a mail to the mail server. Errors hold neither the address nor the mail: they go to logs.

    Raises:
        ServiceUnavailableError: The server is unavailable.
        EmailRejectedError: It refuses the mail for good.
        EmailDeferredError: It refuses the mail for now.
        EmailOutcomeUnknownError: It may have the mail.
    """
    from aiosmtplib import SMTPDataError, SMTPException, SMTPNotSupported, SMTPRecipientsRefused

    message = _build(settings.sender, recipient, mail)
    client = _client(settings)
    try:
        async with client:
            try:
                await client.send_message(message)
            except SMTPNotSupported:
                raise EmailRejectedError("The mail server takes no addresses beyond ASCII.") from None
    except SMTPRecipientsRefused as error:
        raise _refusal(error.recipients[0].code) from None
    except SMTPDataError as error:
        raise _refusal(error.code) from None
    except (SMTPException, OSError) as error:
        if client.has_begun:
            raise EmailOutcomeUnknownError(f"The mail server may have the mail ({type(error).__name__}).") from None
        reason = f"The mail server is unavailable ({type(error).__name__})."
        raise ServiceUnavailableError(reason, store="smtp") from None


async def check(settings: EmailSettings) -> None:
    """Connect to the mail server, and log in. Raises what the library does."""
    async with _client(settings) as client:
        await client.noop()


def _client(settings: EmailSettings) -> "MailClient":
    from src.core.email.client import MailClient

    server = settings.server
    return MailClient(
        hostname=server.host,
        port=server.port,
        username=server.username,
        password=server.password,
        use_tls=server.tls == "implicit",
        start_tls=server.tls == "starttls",
        timeout=settings.timeout_seconds,
        local_hostname=socket.gethostname(),  # by default it is looked up, which may block
    )


def _build(sender: str, recipient: str, mail: Mail) -> EmailMessage:
    message = EmailMessage(SMTP.clone(cte_type="7bit"))  # any server takes that
    try:
        address = validate_email(recipient, check_deliverability=False)
        message["From"] = sender
        message["To"] = address.ascii_email or address.normalized
        message["Subject"] = mail.subject
    except (EmailNotValidError, ValueError):
        raise EmailRejectedError("The address or a header of the mail is invalid.") from None
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=parseaddr(sender)[1].rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # nobody's absence note answers
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message


def _refusal(code: int) -> Exception:
    reason = f"The mail server refused the mail with the code {code}."
    if code == CLOSING:
        return ServiceUnavailableError(reason, store="smtp")
    return EmailRejectedError(reason) if code >= PERMANENT else EmailDeferredError(reason)
