"""The e-mails that the mail server of `./scripts/dev.sh` has kept; in `LOCAL` only."""

from fastapi import APIRouter, Depends

from src.deps.caught_email import CaughtEmailServiceDep
from src.deps.permission import require_permission
from src.deps.rate_limit import EXPENSIVE
from src.schemas.caught_email import CaughtEmailResponse
from src.schemas.response import Response, ok

router = APIRouter(prefix="/ops/caught-emails", tags=["Operations"], dependencies=[Depends(require_permission)])


@router.get("", dependencies=[EXPENSIVE])
async def list_caught_emails(emails: CaughtEmailServiceDep) -> Response[list[CaughtEmailResponse]]:
    """List the newest 100 e-mails that were sent on this machine, newest first: nobody else got them."""
    return ok([CaughtEmailResponse.model_validate(each) for each in await emails.list()])
