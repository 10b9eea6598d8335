"""Optional features of tables and documents; the CRUD classes detect them by their fields.

class Invoice(SoftDelete, Versioned, BaseModel, table=True): ...
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import DateTime
from sqlalchemy.orm import declared_attr
from sqlmodel import Field


class SoftDelete(BaseModel):
    """`delete` only hides a row, and `restore` undoes it. Unique indexes should be `WHERE delete_time IS NULL`."""

    delete_time: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class Versioned(BaseModel):
    """A version number for optimistic locking, sent as `ETag` and compared with `If-Match`."""

    version: int = Field(default=1)

    @declared_attr.directive
    @classmethod
    def __mapper_args__(cls) -> dict[str, Any]:
        """For tables, SQLAlchemy increments the version, and detects concurrent changes."""
        return {"version_id_col": cls.__table__.c.version}  # type: ignore[attr-defined]  # of the table class


class Authored(BaseModel):
    """The users who created and last changed a row; None for the system."""

    created_by: UUID | None = Field(default=None)
    updated_by: UUID | None = Field(default=None)
