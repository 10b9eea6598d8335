from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, DateTime, ForeignKey, Text
from sqlmodel import Field

from src.models.base import BaseModel, BaseTable


class FactorKind(StrEnum):
    """What a second factor is."""

    TOTP = "totp"
    PASSKEY = "passkey"


class UserFactor(BaseModel, table=True):
    """A second factor of a user, which they have proved once; until then it is no row.

    Attributes:
        secret: Of an authenticator app, encrypted by `SecretBox`.
        last_step: The time step of the last code that was accepted; codes of this and earlier steps are refused.
        credential_id: Of a passkey.
        public_key: Of a passkey, as COSE.
        sign_count: How often the passkey said that it was used; 0 if it does not count.
        transports: How browsers reach the passkey: `usb`, `internal` and others.
    """

    __tablename__ = "user_factors"

    user_id: UUID = Field(index=True, sa_column_args=[ForeignKey("users.id", ondelete="CASCADE")])
    kind: FactorKind = Field(sa_type=Text)
    name: str = Field(max_length=64)
    last_used_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    secret: bytes | None = None
    last_step: int | None = Field(default=None, sa_type=BigInteger)
    credential_id: bytes | None = Field(default=None, unique=True)
    public_key: bytes | None = None
    sign_count: int = Field(default=0, sa_type=BigInteger)
    transports: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))


class RecoveryCode(BaseTable, table=True):
    """A code that replaces a second factor once; deleted when it is used.

    Attributes:
        code_hash: SHA-256 of the user's id and the code.
    """

    __tablename__ = "recovery_codes"

    user_id: UUID = Field(primary_key=True, sa_column_args=[ForeignKey("users.id", ondelete="CASCADE")])
    code_hash: str = Field(primary_key=True, max_length=64)
