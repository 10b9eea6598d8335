from typing import Annotated

from fastapi import Depends

from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.services.account import AccountService
from src.services.email_sender import EmailSender
from src.services.invitation import InvitationService


async def get_account_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> AccountService:
    """The service for links in e-mails about an account."""
    return AccountService(uow, resources)


async def get_invitation_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> InvitationService:
    """The service for invitations."""
    return InvitationService(uow, resources)


async def get_email_sender(resources: ResourcesDep) -> EmailSender:
    """Writes and sends e-mails; for tasks."""
    return EmailSender(resources)


AccountServiceDep = Annotated[AccountService, Depends(get_account_service)]
InvitationServiceDep = Annotated[InvitationService, Depends(get_invitation_service)]
EmailSenderDep = Annotated[EmailSender, Depends(get_email_sender)]
