"""Imported by the first mail: API processes send none."""

from typing import Any

from aiosmtplib import SMTP, SMTPResponse

DATA_REPLY_SECONDS = 120
"""Servers may reply late to a mail, which they check first; whoever gives up earlier sends it again."""


class MailClient(SMTP):
    """A connection that sends one mail.

    Attributes:
        has_begun: The mail is on its way: after an error that is no reply, the server may have it.
    """

    has_begun = False

    async def data(self, message: str | bytes, /, *, timeout: Any = None) -> SMTPResponse:  # noqa: ASYNC109 - aiosmtplib's
        """Send the mail itself, and wait longer for its reply than for others."""
        self.has_begun = True
        return await super().data(message, timeout=max(DATA_REPLY_SECONDS, self.timeout or 0))
