import asyncio
from collections.abc import Sequence
from pathlib import Path

from src.core.email.caught import CaughtEmail, read_caught_emails


class CaughtEmailService:
    """Shows the e-mails that the mail server for development has kept."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    async def list(self) -> Sequence[CaughtEmail]:
        """The newest e-mails, newest first."""
        return await asyncio.to_thread(read_caught_emails, self.directory)
