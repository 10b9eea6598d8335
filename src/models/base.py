from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, DateTime, MetaData, event
from sqlalchemy.orm import Mapper
from sqlmodel import Field, SQLModel

from src.utils.date import utc_now
from src.utils.uuid7 import uuid7

# Predictable constraint names, which migrations can refer to.
SQLModel.metadata.naming_convention = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
).naming_convention


class BaseModel(SQLModel):
    """Base class of all tables: a time-ordered id, and the times (UTC) of creation and last change."""

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    create_time: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True), nullable=False)
    update_time: datetime = Field(
        default_factory=utc_now,
        sa_type=DateTime(timezone=True),
        nullable=False,
        sa_column_kwargs={"onupdate": utc_now},
    )


@event.listens_for(BaseModel, "instrument_class", propagate=True)
def _store_none_as_null(mapper: Mapper[Any], _model: type[BaseModel]) -> None:
    """Store None in JSON columns as NULL, as in all others, not as JSON's `null`."""
    for column in mapper.local_table.columns:
        if isinstance(column.type, JSON):
            column.type.none_as_null = True
