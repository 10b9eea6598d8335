from pathlib import Path
from typing import Annotated

from fastapi import Depends

from src.deps.database import ResourcesDep
from src.services.caught_email import CaughtEmailService


async def get_caught_email_service(resources: ResourcesDep) -> CaughtEmailService:
    """The service for the e-mails that were caught; its routes exist where there is a directory."""
    return CaughtEmailService(resources.settings.email.caught_directory or Path())


CaughtEmailServiceDep = Annotated[CaughtEmailService, Depends(get_caught_email_service)]
