from sqlmodel import Field

from src.models.base import BaseModel


class IdempotencyKey(BaseModel, table=True):
    """Something that must be done once, and has been: the row commits with its doing."""

    __tablename__ = "claims"

    key: str = Field(max_length=255, unique=True)
