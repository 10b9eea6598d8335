from sqlmodel import Field

from src.models.base import BaseModel


class IdempotencyKey(BaseModel, table=True):
    """The key of an operation that must take effect once; the row is committed together with the operation."""

    __tablename__ = "idempotency_keys"

    key: str = Field(max_length=255, unique=True)
