import socket
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid, parseaddr

from email_validator import EmailNotValidError, validate_email

from src.core.config.email import EmailSettings
from src.core.email.rendering import Mail
from src.core.exceptions import ServiceUnavailableError
from src.core.tasks.errors import PermanentError

PERMANENT = 500


class EmailRejectedError(PermanentError):
    """The mail server refused a mail for good, or the address is none."""


async def send(settings: EmailSettings, recipient: str, mail: Mail) -> None:
    """Hand a mail to the mail server. Errors hold neither the address nor the mail: they go to logs.

    Raises:
        ServiceUnavailableError: The server is unavailable, or refuses the mail for now.
        EmailRejectedError: It refuses the mail for good.
    """
    # Imported by the first mail: API processes send none.
    from aiosmtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused
    from aiosmtplib import send as hand_over

    server = settings.server
    message = _build(settings.sender, recipient, mail)
    try:
        await hand_over(
            message,
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.tls == "implicit",
            start_tls=server.tls == "starttls",
            timeout=settings.timeout_seconds,
            local_hostname=socket.gethostname(),  # by default it is looked up, which may block
        )
    except SMTPRecipientsRefused as error:
        raise _refusal(error.recipients[0].code) from None
    except SMTPDataError as error:
        raise _refusal(error.code) from None
    except (SMTPException, OSError) as error:
        reason = f"The mail server is unavailable ({type(error).__name__})."
        raise ServiceUnavailableError(reason, store="smtp") from None


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
    return EmailRejectedError(reason) if code >= PERMANENT else ServiceUnavailableError(reason, store="smtp")
