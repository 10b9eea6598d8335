from datetime import datetime
from typing import ClassVar

from sqlalchemy import func
from sqlmodel import col, delete, select

from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.email_link import EmailLink, LinkPurpose


class EmailLinkCRUD(BaseSQLModelCRUD[EmailLink]):
    """Links in e-mails that have not been used."""

    model: ClassVar[type[EmailLink]] = EmailLink

    async def take(self, token_hash: str, now: datetime) -> EmailLink | None:
        """Delete and return the link with this hash, unless it has expired; of several transactions, one gets it."""
        live = select(EmailLink).where(EmailLink.token_hash == token_hash, EmailLink.expires_at > now)
        link = (await self.session.exec(live.with_for_update())).one_or_none()
        if link is not None:
            await self.purge(link)
        return link

    async def lock_mails(self, purpose: LinkPurpose, email: str) -> None:
        """Keep others from counting the mails of this purpose to an address until the transaction ends."""
        key = func.hashtextextended(f"email:{purpose}:{email.lower()}", 0)
        await self.session.exec(select(func.pg_advisory_xact_lock(key)))

    async def count_live(self, purpose: LinkPurpose, email: str, now: datetime) -> int:
        """How many links of this purpose the address was sent that have not expired."""
        count = select(func.count()).select_from(EmailLink)
        sent = count.where(EmailLink.purpose == purpose, func.lower(EmailLink.email) == email.lower())
        return int((await self.session.exec(sent.where(EmailLink.expires_at > now))).one())

    async def purge_expired(self, before: datetime) -> None:
        """Delete all links that expired before a time."""
        await self.session.exec(delete(EmailLink).where(col(EmailLink.expires_at) < before))
