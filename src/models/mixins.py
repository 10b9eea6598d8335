"""What tables and documents may have beside their own fields; the CRUD classes act on whatever a model has.

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
    """Deleting hides a row, and `restore` brings it back. Make unique indexes partial: `WHERE delete_time IS NULL`."""

    delete_time: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class Versioned(BaseModel):
    """Counts the changes of a row, so that nobody overwrites what they have not seen: `ETag` and `If-Match`."""

    version: int = Field(default=1)

    @declared_attr.directive
    @classmethod
    def __mapper_args__(cls) -> dict[str, Any]:
        """Tables leave the counting to SQLAlchemy, which also notices when somebody else was faster."""
        return {"version_id_col": cls.__table__.c.version}  # type: ignore[attr-defined]  # of the table that mixes it in


class Authored(BaseModel):
    """Who made a row, and who changed it last; None when the system did."""

    created_by: UUID | None = Field(default=None)
    updated_by: UUID | None = Field(default=None)
