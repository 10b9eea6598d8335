"""The links of documents, as Beanie's `Link` and `BackLink` declare them: relations that `include` loads."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args, get_origin

from beanie import BackLink, Document, Link
from beanie.odm.registry import DocsRegistry
from bson import DBRef

from src.crud.query.filter_values import item_type


@dataclass(frozen=True, slots=True)
class LinkField:
    """A link of a document class.

    Attributes:
        model: The linked class.
        is_many: Whether it leads to a list.
        back: The field of the linked class that leads here; None if the documents have the link themselves.
    """

    model: Any
    is_many: bool
    back: str | None


def link_of(model: Any, name: str) -> LinkField | None:
    """The link of this name; None if there is no such link."""
    found = _links_of(model).get(name)
    # A forward reference is only known once its class is bound.
    return None if found is None else LinkField(DocsRegistry.evaluate_fr(found.model), found.is_many, found.back)


@cache
def _links_of(model: Any) -> dict[str, LinkField]:
    links = {}
    for name, field in model.model_fields.items():
        kind = item_type(field.annotation)
        if get_origin(kind) in (Link, BackLink):
            extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
            back = extra.get("original_field") if get_origin(kind) is BackLink else None
            is_many = get_origin(item_type(field.annotation, of_lists=False)) is list
            links[name] = LinkField(get_args(kind)[0], is_many, None if back is None else str(back))
    return links


def linked_ids(value: Any) -> list[Any]:
    """The ids of a link, of a linked document, or of a list of them."""
    if isinstance(value, list):
        return [key for item in value for key in linked_ids(item)]
    if isinstance(value, Link):
        value = value.ref
    if isinstance(value, Document | DBRef):
        value = value.id
    return [] if value is None or isinstance(value, BackLink) else [value]


def attach(rows: Sequence[Any], name: str, link: LinkField, linked: Sequence[Any]) -> None:
    """Set what was loaded for a link; rows are documents, or dictionaries of fields."""
    found: dict[Any, list[Any]] = {}
    for target in linked:
        for key in [own_value(target, "id")] if link.back is None else linked_ids(own_value(target, link.back)):
            found.setdefault(key, []).append(target)
    for row in rows:
        keys = linked_ids(own_value(row, name)) if link.back is None else [own_value(row, "id")]
        targets = [target for key in keys for target in found.get(key, ())]
        if link.is_many:
            _set(row, name, targets)
        elif targets or isinstance(row, dict):
            _set(row, name, targets[0] if targets else None)


def own_value(row: Any, name: str) -> Any:
    """The value of a field of a document, or of a dictionary of fields."""
    return row.get(name) if isinstance(row, dict) else getattr(row, name)


def _set(row: Any, name: str, value: Any) -> None:
    if isinstance(row, dict):
        row[name] = value
    else:
        setattr(row, name, value)
