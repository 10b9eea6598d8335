"""What people do by links in e-mails; these routes exist where e-mail is configured."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path

from src.api.audited_route import AuditedRoute
from src.api.v1.errors import BAD_CIPHERTEXT, BUSY, NOT_YOURS_TO_GRANT, TAKEN
from src.core.exceptions import NotFoundError, TooManyRequestsError, raises
from src.deps.audit import AuditEntryDep
from src.deps.auth import UserAccessJWTDep, UserDBDep, require_session
from src.deps.email import AccountServiceDep, InvitationServiceDep
from src.deps.language import LanguageDep
from src.deps.permission import ActorDep, require_permission
from src.deps.rate_limit import ANONYMOUS, MAILS, account, rate_limit
from src.schemas.email import (
    EmailResponse,
    EmailVerification,
    InvitationAccept,
    InvitationCreate,
    InvitationResponse,
    PasswordForgotten,
    PasswordReset,
)
from src.schemas.response import Response, created, ok
from src.schemas.user import UserResponse
from src.services.email_link import InvalidLinkError

router = APIRouter(prefix="/auth", tags=["Auth"], route_class=AuditedRoute)
invitation_router = APIRouter(
    prefix="/users", tags=["User"], route_class=AuditedRoute, dependencies=[Depends(require_permission)]
)

InvitationId = Annotated[UUID, Path(alias="invitationId", description="Id of the invitation.")]

MAILS_PER_USER = rate_limit(10, per=account, window_seconds=900)
INVITATIONS_PER_USER = rate_limit(100, per=account, window_seconds=900)
TOO_MANY_MAILS = TooManyRequestsError(1800, error="request.rate_limited")


@router.post("/password/forgot", dependencies=[MAILS])
async def forget_password(
    body: PasswordForgotten, accounts: AccountServiceDep, language: LanguageDep
) -> Response[None]:
    """Send a link to set a new password, if the address is somebody's; the response is always the same."""
    accounts.emails.send_password_reset(body.email, language)
    return ok(None)


@router.post("/password/reset", dependencies=[ANONYMOUS])
@raises(InvalidLinkError, BAD_CIPHERTEXT, BUSY)
async def reset_password(
    body: PasswordReset, accounts: AccountServiceDep, language: LanguageDep, entry: AuditEntryDep
) -> Response[None]:
    """Set a new password by the link of an e-mail, and end all sessions of the account."""
    entry.record_anonymous = True
    entry.actor_id = (await accounts.reset_password(body, language)).id
    return ok(None)


@router.get("/email")
async def get_email(user: UserDBDep) -> Response[EmailResponse]:
    """Get the current user's e-mail address, and whether it is confirmed."""
    verified_at = user.email_verified_at
    return ok(EmailResponse(email=user.email, verified=verified_at is not None, verified_at=verified_at))


@router.post("/email/verification", dependencies=[Depends(require_session), MAILS_PER_USER])
async def send_verification(
    claims: UserAccessJWTDep, accounts: AccountServiceDep, language: LanguageDep
) -> Response[None]:
    """Send a link that confirms the current user's e-mail address."""
    accounts.emails.send_verification(claims.user_id, language)
    return ok(None)


@router.post("/email/verify")
@raises(InvalidLinkError, TAKEN)
async def verify_email(
    body: EmailVerification, claims: UserAccessJWTDep, accounts: AccountServiceDep, language: LanguageDep
) -> Response[None]:
    """Confirm the current user's e-mail address by the link that was sent to it."""
    await accounts.verify_email(claims.user_id, body.token, language)
    return ok(None)


@invitation_router.post("/invitations", status_code=201, dependencies=[INVITATIONS_PER_USER])
@raises(NOT_YOURS_TO_GRANT, TOO_MANY_MAILS)
async def invite_user(
    body: InvitationCreate, invitations: InvitationServiceDep, actor: ActorDep, language: LanguageDep
) -> Response[InvitationResponse]:
    """Invite a person by e-mail to create an account; an address that has one already is not told."""
    return created(InvitationResponse.model_validate(await invitations.invite(body, actor, language)))


@invitation_router.get("/invitations")
async def list_invitations(invitations: InvitationServiceDep) -> Response[list[InvitationResponse]]:
    """List the invitations that can still be accepted, newest first."""
    return ok([InvitationResponse.model_validate(each) for each in await invitations.list_pending()])


@invitation_router.delete("/invitations/{invitationId}")
@raises(NotFoundError("Invitation not found."), NOT_YOURS_TO_GRANT)
async def withdraw_invitation(
    invitation_id: InvitationId, invitations: InvitationServiceDep, actor: ActorDep
) -> Response[None]:
    """Withdraw an invitation, and all others of the same inviter to its address: their links no longer work."""
    await invitations.withdraw(invitation_id, actor)
    return ok(None)


@router.post("/invitations/accept", status_code=201, dependencies=[ANONYMOUS])
@raises(InvalidLinkError, TAKEN, BAD_CIPHERTEXT, BUSY)
async def accept_invitation(
    body: InvitationAccept, invitations: InvitationServiceDep, language: LanguageDep, entry: AuditEntryDep
) -> Response[UserResponse]:
    """Create an account by the link of an invitation."""
    entry.record_anonymous = True
    user = await invitations.accept(body, language)
    entry.actor_id = user.id
    codes = (await invitations.role_codes([user]))[user.id]
    return created(UserResponse.model_validate({**user.model_dump(), "roles": codes}))
