"""Selects rows with their related rows, as plain values: references by joins, each list with one further statement."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, FromClause, and_, any_, bindparam, inspect, tuple_
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import Select

from src.crud.query.row_shape import RowShape
from src.crud.query.sql.clauses import columns_by_field
from src.crud.query.sql.relations import Relation, relation_of

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """Where a result has the values of a row, and of those that it refers to.

    Attributes:
        start: The index of the first value.
        names: The fields.
        identity: The index of the primary key, which is NULL if there is no row; None for what is always there.
    """

    start: int
    names: tuple[str, ...]
    identity: int | None
    references: tuple[tuple[str, "Part"], ...]

    def read(self, values: Sequence[Any]) -> Row | None:
        """The row as a dictionary."""
        if self.identity is not None and values[self.identity] is None:
            return None
        row = dict(zip(self.names, values[self.start :] if self.start else values, strict=False))
        for name, part in self.references:
            row[name] = part.read(values)
        return row


@dataclass(frozen=True, slots=True)
class Layout:
    """What to select for rows of one shape: the columns, the joined tables, and how to read a result."""

    columns: Sequence[ColumnElement[Any]]
    source: FromClause
    part: Part

    def read(self, result: Any) -> list[Row]:
        """The rows of a result."""
        if self.part.references:
            return [self.part.read(values) or {} for values in result]
        return [dict(zip(self.part.names, values, strict=False)) for values in result]


@lru_cache(maxsize=1000)
def layout_of(model: Any, shape: RowShape) -> Layout:
    """The layout of a shape; with the columns by which its lists are found."""
    columns: list[ColumnElement[Any]] = []
    source, part = _joined(model, shape, model.__table__, model.__table__, columns, is_root=True)
    return Layout(columns, source, part)


def _joined(
    model: Any, shape: RowShape, table: FromClause, source: FromClause, columns: list[ColumnElement[Any]], is_root: bool
) -> tuple[FromClause, Part]:
    lists = [_own_fields(relation_of(model, name)) for name, _ in shape.relations if relation_of(model, name).is_many]
    names = shape.with_fields([name for own in lists for name in own]).fields
    start = len(columns)
    columns += [_column(model, table, name) for name in names]
    identity = None
    if not is_root:
        identity = len(columns)
        columns.append(table.c[inspect(model).primary_key[0].key])
    references = []
    for name, nested in shape.relations:
        relation = relation_of(model, name)
        if not relation.is_many:
            target = relation.table.alias()
            on = and_(*(table.c[own.key] == target.c[other.key] for own, other in relation.pairs))
            source = source.outerjoin(target, on)
            source, part = _joined(relation.model, nested, target, source, columns, is_root=False)
            references.append((name, part))
    return source, Part(start, names, identity, tuple(references))


def _column(model: Any, table: FromClause, name: str) -> ColumnElement[Any]:
    column = columns_by_field(model).get(name)
    if column is None:
        raise ValueError(f"{model.__name__} has no field {name!r}.")
    return table.c[column.key]


@lru_cache(maxsize=1000)
def _own_fields(relation: Relation) -> tuple[str, ...]:
    """The fields of the table that the rows of a list refer to."""
    model = relation.attribute.class_
    fields = {column: name for name, column in columns_by_field(model).items()}
    return tuple(fields[own] for own, _ in relation.pairs)


async def load_lists(session: AsyncSession, model: Any, shape: RowShape, rows: Sequence[Row]) -> None:
    """Add the lists of related rows to rows that were read, at all levels."""
    for name, nested in shape.relations if rows else ():
        relation = relation_of(model, name)
        if relation.is_many:
            related = await _load(session, relation, nested, name, rows)
        else:
            related = [row[name] for row in rows if row[name] is not None]
        if nested.relations:
            await load_lists(session, relation.model, nested, related)


async def _load(
    session: AsyncSession, relation: Relation, shape: RowShape, name: str, rows: Sequence[Row]
) -> list[Row]:
    """Add one list to each row; returns the rows of all lists."""
    own = _own_fields(relation)
    key_of = itemgetter(*own)  # of one field its value, of several a tuple
    is_array = len(own) == 1 and session.get_bind().dialect.name == "postgresql"
    statement, layout = _select_children(relation, shape, is_array)
    result = await session.exec(statement, params={"keys": list({key_of(row) for row in rows})})
    children: dict[Any, list[Row]] = defaultdict(list)
    related = []
    for values in result:
        child = layout.part.read(values) or {}
        related.append(child)
        children[values[-1] if len(own) == 1 else tuple(values[-len(own) :])].append(child)
    for row in rows:
        row[name] = children.get(key_of(row), [])
    return related


@lru_cache(maxsize=1000)
def _select_children(relation: Relation, shape: RowShape, is_array: bool) -> tuple[Select[*tuple[Any, ...]], Layout]:
    """The rows of a list whose keys are in the parameter: an array is one statement for any number of them."""
    layout = layout_of(relation.model, shape)
    source = layout.source
    if relation.secondary is not None:
        source = source.join(relation.secondary, and_(*(own == other for own, other in relation.secondary_pairs)))
    keys = [key for _, key in relation.pairs]
    if is_array:
        condition = keys[0] == any_(bindparam("keys", type_=ARRAY(keys[0].type)))
    else:
        type_ = keys[0].type if len(keys) == 1 else None
        key = keys[0] if len(keys) == 1 else tuple_(*keys)
        condition = key.in_(bindparam("keys", expanding=True, type_=type_))
    order = inspect(relation.attribute.class_).relationships[relation.attribute.key].order_by
    statement: Select[*tuple[Any, ...]] = Select(*layout.columns, *keys).select_from(source)
    statement = statement.where(condition, *relation.hidden())
    return statement.order_by(*(order or inspect(relation.model).primary_key)), layout
