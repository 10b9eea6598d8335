"""The relations of tables, as SQLModel's `Relationship` declares them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Column, ColumnElement, FromClause, Table, and_, inspect
from sqlalchemy.orm import RelationshipProperty, joinedload, selectinload
from sqlalchemy.orm.interfaces import MANYTOONE
from sqlalchemy.orm.strategy_options import Load

from src.core.list_filters import Where, nested_paths

Pairs = Sequence[tuple[Column[Any], Column[Any]]]


@dataclass(frozen=True, slots=True, eq=False)  # compared by identity, as a part of cache keys
class Relation:
    """A relation of a table.

    Attributes:
        model: The related class.
        attribute: The attribute of the model.
        is_many: Whether it leads to a list.
        is_reference: Whether the table has the foreign key.
        pairs: The columns that are equal: of the table, and of the related (or the secondary) table.
        secondary: The table between, of a many-to-many relation.
        secondary_pairs: The columns that are equal: of the related table, and of the secondary table.
    """

    model: Any
    attribute: Any
    is_many: bool
    is_reference: bool
    pairs: Pairs
    secondary: FromClause | None
    secondary_pairs: Pairs

    @property
    def is_own_list(self) -> bool:
        """Whether the related table has the foreign key."""
        return not self.is_reference and self.secondary is None

    @property
    def table(self) -> Table:
        """The related table."""
        table: Table = self.model.__table__
        return table

    def hidden(self) -> list[ColumnElement[bool]]:
        """The condition that hides deleted rows of a list; a reference leads to its row even if that is deleted."""
        return [self.table.c.delete_time.is_(None)] if self.is_many and "delete_time" in self.table.c else []

    def exists(self, conditions: Sequence[ColumnElement[bool]]) -> ColumnElement[bool]:
        """The condition that a related row passes all conditions."""
        criterion = and_(*conditions, *self.hidden()) if conditions or self.hidden() else None
        exists: ColumnElement[bool] = (self.attribute.any if self.is_many else self.attribute.has)(criterion)
        return exists


@cache
def relations_of(model: Any) -> Mapping[str, Relation]:
    """The relations of a table class by name."""
    return {name: _relation(model, name, relation) for name, relation in inspect(model).relationships.items()}


def _relation(model: Any, name: str, relation: RelationshipProperty[Any]) -> Relation:
    is_reference = relation.direction is MANYTOONE
    pairs: Any = [tuple(reversed(pair)) if is_reference else pair for pair in relation.synchronize_pairs]
    return Relation(
        model=relation.mapper.class_,
        attribute=getattr(model, name),
        is_many=bool(relation.uselist),
        is_reference=is_reference,
        pairs=pairs,
        secondary=relation.secondary,
        secondary_pairs=relation.secondary_synchronize_pairs or [],  # type: ignore[arg-type]  # they are columns
    )


def relation_of(model: Any, name: str) -> Relation:
    """The relation of this name.

    Raises:
        ValueError: There is none.
    """
    relation = relations_of(model).get(name)
    if relation is None:
        raise ValueError(f"{model.__name__} has no relation {name!r}.")
    return relation


def expanded(model: Any, where: Where) -> Iterator[tuple[str, Any]]:
    """Filters by name; paths through relations become nested filters, which are mappings."""
    relations = relations_of(model)
    for name, value in where.items():
        head, _, rest = name.partition(".")
        if rest and head in relations:
            yield head, {rest: value}
        else:
            yield name, value


@cache
def loading(model: Any, include: tuple[str, ...]) -> tuple[Load, ...]:
    """The options that load these relations: references with the row itself, lists with one further statement each."""
    return tuple(_loading(model, include, None))


def _loading(model: Any, paths: Sequence[str], parent: Load | None) -> Iterator[Load]:
    for name, rest in nested_paths(paths).items():
        relation = relation_of(model, name)
        attribute = relation.attribute.and_(*relation.hidden()) if relation.hidden() else relation.attribute
        load: Any = (selectinload if parent is None else parent.selectinload) if relation.is_many else None
        load = load or (joinedload if parent is None else parent.joinedload)
        option = load(attribute)
        yield option
        yield from _loading(relation.model, rest, option)
