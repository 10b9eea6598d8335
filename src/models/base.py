from datetime import datetime
from typing import Any, get_origin
from uuid import UUID

from pydantic import ConfigDict
from sqlalchemy import JSON, DateTime, MetaData, event
from sqlalchemy.orm import Mapper
from sqlmodel import Field, SQLModel
from sqlmodel.main import SQLModelMetaclass

from src.models.unloaded import UNLOADED
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


class _TableMeta(SQLModelMetaclass):
    """Sets the options of relations, except those that they set themselves."""

    def __init__(self, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> None:
        for relation_name, relation in self.__dict__["__sqlmodel_relationships__"].items():
            kind: Any = get_origin(self.__annotations__[relation_name])
            if kind is list and not relation.cascade_delete:
                relation.passive_deletes = relation.passive_deletes or "all"
            relation.sa_relationship_kwargs = {"lazy": UNLOADED, **(relation.sa_relationship_kwargs or {})}
        super().__init__(name, bases, namespace, **options)


class BaseTable(SQLModel, metaclass=_TableMeta):
    """Base class of tables that declare a primary key of their own: a number, or several columns.

    Relations are declared with SQLModel's `Relationship`. They are loaded by `include` only: an attribute that was not
    loaded raises an error. Rows that others refer to are deleted as their foreign keys say (`ondelete`).
    """

    # What Pydantic needs to validate a row is built when the process first creates one: most create rows of few tables.
    model_config = ConfigDict(defer_build=True)  # type: ignore[assignment]  # SQLModel adds keys of its own


class BaseModel(BaseTable):
    """Base class of most tables: a time-ordered id, and the times (UTC) of creation and last change."""

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    create_time: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True), nullable=False)
    update_time: datetime = Field(
        default_factory=utc_now,
        sa_type=DateTime(timezone=True),
        nullable=False,
        sa_column_kwargs={"onupdate": utc_now},
    )


@event.listens_for(BaseTable, "instrument_class", propagate=True)
def _store_none_as_null(mapper: Mapper[Any], _model: type[BaseTable]) -> None:
    """Store None in JSON columns as NULL, as in all others, not as JSON's `null`."""
    for column in mapper.local_table.columns:
        if isinstance(column.type, JSON):
            column.type.none_as_null = True
