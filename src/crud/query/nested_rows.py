"""Selects rows with their related rows, as plain values: references by joins, each list with one further statement."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, bindparam, inspect, tuple_
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import Select

from src.crud.query.relations import Relation, relation_of
from src.crud.query.row_shape import RowShape
from src.crud.query.sql_clauses import columns_by_field

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
        row = dict(zip(self.names, values[self.start :], strict=False))
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
            related = [child for children in (await _load(session, relation, nested, name, rows)) for child in children]
        else:
            related = [row[name] for row in rows if row[name] is not None]
        await load_lists(session, relation.model, nested, related)


async def _load(
    session: AsyncSession, relation: Relation, shape: RowShape, name: str, rows: Sequence[Row]
) -> Iterator[list[Row]]:
    own = _own_fields(relation)
    keys = [tuple(row[field] for field in own) for row in rows]
    statement, layout = _select_children(relation, shape)
    given = list(dict.fromkeys(keys))
    result = await session.exec(statement, params={"keys": given if len(own) > 1 else [key for (key,) in given]})
    children: Mapping[tuple[Any, ...], list[Row]] = defaultdict(list)
    width = len(own)
    for values in result:
        children[tuple(values[-width:])].append(layout.part.read(values) or {})
    for row, key in zip(rows, keys, strict=True):
        row[name] = children.get(key, [])
    return iter(children.values())


@lru_cache(maxsize=1000)
def _select_children(relation: Relation, shape: RowShape) -> tuple[Select[*tuple[Any, ...]], Layout]:
    layout = layout_of(relation.model, shape)
    source = layout.source
    if relation.secondary is not None:
        source = source.join(relation.secondary, and_(*(own == other for own, other in relation.secondary_pairs)))
    keys = [key for _, key in relation.pairs]
    key = keys[0] if len(keys) == 1 else tuple_(*keys)
    types = keys[0].type if len(keys) == 1 else None
    condition = key.in_(bindparam("keys", expanding=True, type_=types))
    order = inspect(relation.attribute.class_).relationships[relation.attribute.key].order_by
    statement: Select[*tuple[Any, ...]] = (
        Select(*layout.columns, *keys).select_from(source).where(condition, *relation.hidden())
    )
    return statement.order_by(*(order or inspect(relation.model).primary_key)), layout
