"""Stores changes of documents as Beanie's own methods do: with aliases, links, encoders, revisions and event hooks.

Beanie cannot update a document on a condition, and its operations on many documents have neither hooks nor revisions.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import uuid4

from beanie import Document
from beanie.odm.actions import ActionDirections, ActionRegistry, EventTypes
from beanie.odm.utils.dump import get_dict
from pydantic import ConfigDict, TypeAdapter

Stored = dict[str, Any]
# A document class. `type[Document]` is not hashable for mypy.
Model = Any

# An update is any of these: a hook runs once for it, even if it is declared for several.
UPDATE_EVENTS = (EventTypes.SAVE_CHANGES, EventTypes.SAVE, EventTypes.REPLACE, EventTypes.UPDATE)

_SET_OTHERWISE = {"_id", "version", "revision_id"}


def stored(document: Document) -> Stored:
    """A document as MongoDB has it."""
    fields: Stored = get_dict(document, to_db=True, keep_nulls=document.get_settings().keep_nulls)
    return fields


def stored_fields(model: Model, fields: Mapping[str, Any]) -> Stored:
    """Some fields of documents that are not loaded, as MongoDB has them."""
    values = {name: _adapter(model, name).validate_python((value,))[0] for name, value in fields.items()}
    complete = stored(model.model_construct(**values))
    keys = {model.model_fields[name].alias or name for name in fields}
    return {key: value for key, value in complete.items() if key in keys}


def change(model: Model, old: Stored, new: Stored, names: Collection[str]) -> dict[str, Any]:
    """The update operators that turn one stored document into another; the fields `names` are set in any case."""
    keys = {model.model_fields[name].alias or name for name in names}
    keys |= {key for key in {*old, *new} if old.get(key) != new.get(key)}
    keys -= _SET_OTHERWISE
    revision = {"revision_id": uuid4()} if model.get_settings().use_revision else {}
    operators = {
        "$set": {key: new[key] for key in keys if key in new} | revision,
        "$unset": dict.fromkeys(keys - new.keys(), ""),
        "$inc": {"version": 1} if "version" in model.model_fields else {},
    }
    return {operator: fields for operator, fields in operators.items() if fields}


def insert_or_change(new: Document, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The update operators that insert a document, or set the fields `changes` of the existing one."""
    operators = change(type(new), {}, stored_fields(type(new), changes), changes)
    changed = {key for fields in operators.values() for key in fields}
    return {**operators, "$setOnInsert": {key: value for key, value in stored(new).items() if key not in changed}}


async def run_hooks(document: Document, direction: ActionDirections, events: Sequence[EventTypes]) -> None:
    """Run the hooks that are declared for any of the events, each once."""
    done: list[ActionDirections | str] = []
    for event in events:
        await ActionRegistry.run_actions(document, event, direction, exclude=done)
        done += [hook.__name__ for hook in ActionRegistry.get_action_list(type(document), event, direction)]


@lru_cache(maxsize=1000)
def _adapter(model: Model, name: str) -> TypeAdapter[Any]:
    # In a tuple, for types with a configuration of their own accept no other.
    field: Any = tuple.__class_getitem__((model.model_fields[name].annotation,))
    return TypeAdapter(field, config=ConfigDict(arbitrary_types_allowed=True))
