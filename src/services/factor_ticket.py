import json
import secrets
from dataclasses import asdict, dataclass
from uuid import UUID

from src.core.exceptions import UnauthorizedError
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.factor_ticket import FactorTicketCRUD
from src.crud.login_origin import LoginOrigin
from src.crud.session import digest
from src.crud.user import UserCRUD
from src.models.user import User
from src.schemas.factor_challenge import FactorChallenge
from src.services.client_tokens import ClientInfo
from src.services.factor_proof import FactorProofService

LIFETIME_SECONDS = 300
ATTEMPTS = 5


class InvalidTicketError(UnauthorizedError):
    """A ticket was made up, has expired, was used up, or is another client's; or the account is not as it was."""

    error = "auth.invalid_ticket"
    message = "The login took too long, or was tried too often: begin again."


@dataclass(frozen=True, slots=True)
class Ticket:
    """A login that waits for the second factor.

    Attributes:
        name: What it is stored under, and what the challenges of passkeys are bound to.
        account: What failures are counted by.
        origin: The provider that the login began with, if it did.
    """

    name: str
    user: User
    account: str
    origin: LoginOrigin | None = None

    @property
    def purpose(self) -> str:
        """What the challenges of passkeys are made for."""
        return f"login:{self.name}"


class FactorTicketService:
    """Tickets for the second step of a login, which a client gets for the first one."""

    def __init__(self, uow: UnitOfWork, resources: Resources, client: ClientInfo) -> None:
        self.client = client
        self.users = UserCRUD(uow.session)
        self.tickets = FactorTicketCRUD(resources.redis)
        self.proofs = FactorProofService(uow, resources)

    async def issue(self, user_id: UUID, account: str, origin: LoginOrigin | None = None) -> FactorChallenge:
        """A ticket for a user with a second factor, bound to this client, and to the password as it is."""
        user = await self.users.get(user_id)
        secret = secrets.token_urlsafe(32)
        ticket = Ticket(digest(secret), user, account)
        fields = {"user_id": str(user_id), "account": account, "agent": digest(self.client.user_agent)}
        if origin is not None:
            fields["origin"] = json.dumps(asdict(origin))
        await self.tickets.store(ticket.name, {**fields, "state": _state(user)}, LIFETIME_SECONDS)
        options = await self.proofs.options(user, ticket.purpose)
        return FactorChallenge(ticket=secret, expires_in=LIFETIME_SECONDS, **options.model_dump())

    async def attempt(self, secret: str) -> Ticket:
        """Use one of the attempts of a ticket.

        Raises:
            InvalidTicketError: It is not valid.
        """
        name = digest(secret)
        fields = await self.tickets.attempt(name, ATTEMPTS)
        if not fields or fields["agent"] != digest(self.client.user_agent):
            raise InvalidTicketError
        user = await self.users.find(UUID(fields["user_id"]))
        if user is None or not user.status or fields["state"] != _state(user):
            raise InvalidTicketError
        origin = LoginOrigin(**json.loads(fields["origin"])) if "origin" in fields else None
        return Ticket(name, user, fields["account"], origin)

    async def consume(self, ticket: Ticket) -> None:
        """Use a ticket up; of parallel requests, one succeeds.

        Raises:
            InvalidTicketError: It was used up.
        """
        if not await self.tickets.consume(ticket.name):
            raise InvalidTicketError


def _state(user: User) -> str:
    return digest(f"{user.id}\n{user.password_hash}")
