from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeVar

from beanie import Document
from beanie.odm.actions import ActionDirections
from beanie.odm.utils.parsing import parse_obj, save_state
from pydantic import BaseModel as PydanticModel
from pymongo import ReturnDocument
from typing_extensions import override

from src.core.exceptions import ConflictError
from src.core.list_filters import Where
from src.crud.base import Key
from src.crud.query.checked_fields import Fields
from src.crud.query.documents.bulk_writes import DocumentBulkWrites
from src.crud.query.documents.links import attach, link_of
from src.crud.query.documents.writes import UPDATE_EVENTS, change, run_hooks, stored

ModelT = TypeVar("ModelT", bound=Document)

DUPLICATE_KEY = 11000
_UPSERT_ATTEMPTS = 5


class BaseBeanieCRUD(DocumentBulkWrites[ModelT]):
    """The operations on one collection; with a session, in its transaction.

    They follow Beanie's rules: a class sees its own documents and those of its subclasses, and event hooks run for
    `create`, `create_many`, `update`, `upsert`, `delete` and `restore`. The other operations on many documents
    load none, so they run no hooks, except `upsert_many` if another caller inserts the same key meanwhile.
    """

    @override
    async def create(self, data: PydanticModel | Fields) -> ModelT:
        await self.documents.bind(self.model)
        fields, related = self.split_relations(data)
        for name in [name for name in related if not self._link(name).back]:
            created = await self._create_linked(name, related.pop(name), {})
            fields[name] = created if self._link(name).is_many else created[0]
        row = await self._insert(self.model.model_validate(self._new_fields(fields)))
        for name, value in related.items():
            attach([row], name, self._link(name), await self._create_linked(name, value, row))
        return row

    async def _create_linked(self, name: str, value: Any, row: Any) -> list[Any]:
        """Insert the documents of a link, which refer to the row if it is a back link."""
        link = self._link(name)
        back = link.back and link_of(link.model, link.back)
        reference = {str(link.back): [row] if back.is_many else row} if back else {}
        crud = self.of(link.model)
        return [await crud.create({**item, **reference}) for item in (value if isinstance(value, list) else [value])]

    def of(self, model: type[Any]) -> "BaseBeanieCRUD[Any]":
        """The operations on another collection, in the same transaction."""
        crud: BaseBeanieCRUD[Any] = BaseBeanieCRUD(self.documents, self.session, self.actor_id)
        crud.model = model  # type: ignore[misc]  # a class variable, which is set per instance here
        return crud

    @override
    async def update(self, row: ModelT, changes: Fields, *, version: int | None = None) -> ModelT:
        self._check_version(row, version)
        await self.documents.bind(self.model)
        as_read = {name: getattr(row, name) for name in ("version",) if self._has(name)}
        if self.model.get_settings().use_revision:
            as_read["revision_id"] = row.revision_id
        if await self._change(row, self._checked_changes(changes), as_read):
            return row
        raise self._changed_since_read(version) if as_read else self.not_found()

    @override
    async def upsert(self, data: Fields, *, by: Sequence[str]) -> ModelT:
        for _ in range(_UPSERT_ATTEMPTS - 1):
            with suppress(ConflictError):  # another caller has inserted or deleted it meanwhile
                return await self._upsert(data, by)
        return await self._upsert(data, by)

    async def _upsert(self, data: Fields, by: Sequence[str]) -> ModelT:
        await self.documents.bind(self.model)
        fields = self._new_fields(data)
        changes = self._updated_on_conflict(fields, by)
        new: ModelT = self.model.model_validate(fields)
        row = await self._find_one({name: getattr(new, name) for name in by})
        if row is None:
            try:
                return await self._insert(new)
            except ConflictError:  # another caller was faster, or the document is soft-deleted
                row = await self._find_one({name: getattr(new, name) for name in by}, deleted=None)
                if row is None:
                    raise
        if self._has("delete_time"):
            changes["delete_time"] = None
        if not await self._change(row, changes, {}, deleted=None):
            raise ConflictError
        return row

    @override
    async def delete(self, row: ModelT) -> None:
        if self._has("delete_time"):
            await self.update(row, {"delete_time": self._now()})
        else:
            await self.purge(row)

    @override
    async def purge(self, row: ModelT) -> None:
        await self.documents.bind(self.model)
        await row.delete(session=self.session)

    @override
    async def restore(self, key: Key) -> ModelT:
        row = await self._find_one({"id": key}, deleted=True)
        if row is None or not await self._change(row, self._checked_changes({"delete_time": None}), {}, deleted=True):
            raise self.not_found()
        return row

    async def _insert(self, row: ModelT) -> ModelT:
        with self._writing():
            await row.insert(session=self.session)
        return row

    async def _change(self, row: ModelT, changes: Fields, where: Where, *, deleted: bool | None = False) -> bool:
        """Change a document, both in the store and in place, if it still matches."""
        changes = {**changes, **self._touched()}
        changed = type(row).model_validate({**dict(row), **changes})
        await changed.validate_self()
        await run_hooks(changed, ActionDirections.BEFORE, UPDATE_EVENTS)
        operators = change(type(row), stored(row), stored(changed), changes)
        condition = await self._filter({"id": row.id, **where}, deleted)
        collection = await self._collection()
        with self._writing():
            document = await collection.find_one_and_update(
                condition, operators, return_document=ReturnDocument.AFTER, session=self.session
            )
        if document is None:
            return False
        for name, value in parse_obj(self.model, document):
            setattr(row, name, value)
        save_state(row)
        await run_hooks(row, ActionDirections.AFTER, UPDATE_EVENTS)
        return True
