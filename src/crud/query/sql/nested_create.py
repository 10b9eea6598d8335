"""Inserts rows together with their related rows, with one statement for each table."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel
from sqlalchemy.orm.attributes import set_committed_value

from src.crud.query.sql.clauses import columns_by_field
from src.crud.query.sql.relations import Relation, relations_of

Fields = Mapping[str, Any]


class Inserting(Protocol):
    """What is needed of a CRUD class."""

    model: ClassVar[type[Any]]

    def of(self, model: type[Any]) -> "Inserting":
        """The same for a related class."""

    def split_relations(self, data: BaseModel | Fields) -> tuple[dict[str, Any], dict[str, Any]]:
        """The fields of a new row, and the data of its related rows by relation."""

    def build(self, fields: Fields) -> Any:
        """A row that is not inserted yet."""

    async def insert(self, rows: Sequence[Any]) -> None:
        """Insert rows."""


async def create_nested(crud: Inserting, data: Sequence[BaseModel | Fields]) -> list[Any]:
    """Insert rows, before them those that they refer to, and after them those that refer to them."""
    split = [crud.split_relations(item) for item in data]
    names = dict.fromkeys(name for _, related in split for name in related)
    model: Any = crud.model
    relations = {name: relations_of(model)[name] for name in names}
    loaded = await _create_referenced(crud, relations, split)
    rows = [crud.build(fields) for fields, _ in split]
    for row, related in zip(rows, loaded, strict=True):
        for name in [name for name in related if relations[name].secondary is not None]:
            setattr(row, name, related[name])  # so that SQLAlchemy fills the table between
    await crud.insert(rows)
    for name in [name for name, relation in relations.items() if relation.is_own_list]:
        given = [
            _with_keys(relations[name], row, related.get(name)) for row, (_, related) in zip(rows, split, strict=True)
        ]
        for row, created in zip(rows, await _create(crud, relations[name], given), strict=True):
            set_committed_value(row, name, created)
    for row, related in zip(rows, loaded, strict=True):
        for name, value in related.items():
            set_committed_value(row, name, value)
    return rows


async def _create_referenced(
    crud: Inserting, relations: Mapping[str, Relation], split: Sequence[tuple[dict[str, Any], dict[str, Any]]]
) -> list[dict[str, Any]]:
    """Insert what rows refer to; returns it by relation for each row, whose fields get the foreign keys."""
    loaded: list[dict[str, Any]] = [{} for _ in split]
    for name, relation in relations.items():
        if relation.is_own_list:
            continue
        given = [related.get(name) for _, related in split]
        for number, created in enumerate(await _create(crud, relation, given)):
            if given[number]:
                loaded[number][name] = created
                split[number][0].update(_keys(relation, created))
    return loaded


async def _create(crud: Inserting, relation: Relation, given: Sequence[Any]) -> list[Any]:
    """Insert the related rows of one relation, given for each row."""
    lists = [_as_list(value) for value in given]
    created = iter(await create_nested(crud.of(relation.model), [row for rows in lists for row in rows]))
    groups = [list(islice(created, len(rows))) for rows in lists]
    return groups if relation.is_many else [group[0] if group else None for group in groups]


def _keys(relation: Relation, target: Any) -> dict[str, Any]:
    """The foreign key that refers to a row."""
    if not relation.is_reference:
        return {}
    own, other = _field_names(relation.attribute.class_), _field_names(relation.model)
    return {own[column]: getattr(target, other[key]) for column, key in relation.pairs}


def _with_keys(relation: Relation, row: Any, given: Any) -> list[dict[str, Any]]:
    """The data of related rows, with the foreign keys that refer to their row."""
    own, other = _field_names(relation.attribute.class_), _field_names(relation.model)
    keys = {other[key]: getattr(row, own[column]) for column, key in relation.pairs}
    return [{**item, **keys} for item in _as_list(given)]


def _as_list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value] if value else []


def _field_names(model: Any) -> dict[Any, str]:
    return {column: name for name, column in columns_by_field(model).items()}
