from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID, uuid4

from beanie import Document
from beanie.odm.actions import ActionDirections, EventTypes
from beanie.odm.queries.find import FindMany
from beanie.odm.utils.parsing import parse_obj, save_state
from bson import DBRef
from pydantic import BaseModel as PydanticModel
from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import OperationFailure
from typing_extensions import override

from src.core.exceptions import ConflictError
from src.core.list_filters import QuerySpec, Where
from src.core.stores.documents import Documents
from src.crud.base import BaseCRUD, Fields
from src.crud.query.constraints import document_violation
from src.crud.query.document_filters import Filter, all_of, search, stored_path
from src.crud.query.document_writes import UPDATE_EVENTS, change, run_hooks, stored, stored_fields
from src.crud.query.list_queries import Selection
from src.models.document import utc_now_milliseconds

ModelT = TypeVar("ModelT", bound=Document)

DUPLICATE_KEY = 11000
_UPSERT_ATTEMPTS = 5


class BaseBeanieCRUD(BaseCRUD[ModelT]):
    """The operations on one collection; with a session, in its transaction.

    They follow Beanie's rules: a class sees its own documents and those of its subclasses, and event hooks run for
    `create`, `create_many`, `update`, `upsert`, `delete` and `restore`. `update_many` and `delete_many` load no
    documents, so they run none.
    """

    def __init__(
        self, documents: Documents, session: AsyncClientSession | None = None, actor_id: UUID | None = None
    ) -> None:
        self.documents = documents
        self.session = session
        self.actor_id = actor_id

    @override
    async def find(self, key: UUID) -> ModelT | None:
        return await self._find_one({"id": key})

    @override
    async def exists(self, where: Where | None = None) -> bool:
        return await self._count(QuerySpec(where or {}), 1) > 0

    @override
    async def create(self, data: PydanticModel | Fields) -> ModelT:
        await self.documents.bind(self.model)
        return await self._insert(self.model.model_validate(self._new_fields(data)))

    @override
    async def create_many(self, rows: Sequence[Fields]) -> Sequence[UUID]:
        if not rows:
            return []
        await self.documents.bind(self.model)
        complete: Sequence[ModelT] = [self.model.model_validate(self._new_fields(row)) for row in rows]
        for row in complete:
            await row.validate_self()
            await run_hooks(row, ActionDirections.BEFORE, [EventTypes.INSERT])
            if self.model.get_settings().use_revision:
                row.revision_id = uuid4()
        with self._writing():
            await self.model.insert_many(complete, session=self.session)
        for row in complete:
            await run_hooks(row, ActionDirections.AFTER, [EventTypes.INSERT])
        return [cast(UUID, row.id) for row in complete]

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
    async def update_many(self, where: Where, changes: Fields) -> int:
        collection = await self._collection()
        touched = self._checked_changes(changes) | self._touched()
        operators = change(self.model, {}, stored_fields(self.model, touched), touched)
        with self._writing():
            result = await collection.update_many(self._filter(where), operators, session=self.session)
        return result.matched_count

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
            await self.documents.bind(self.model)
            await row.delete(session=self.session)

    @override
    async def delete_many(self, where: Where) -> int:
        if self._has("delete_time"):
            return await self.update_many(where, {"delete_time": self._now()})
        collection = await self._collection()
        return (await collection.delete_many(self._filter(where), session=self.session)).deleted_count

    @override
    async def restore(self, key: UUID) -> ModelT:
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
        collection, condition = await self._collection(), self._filter({"id": row.id, **where}, deleted)
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

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Translate the errors of violated constraints."""
        try:
            yield
        except OperationFailure as error:
            if violation := document_violation(self.model, error):
                raise violation from error
            raise

    def _touched(self) -> dict[str, Any]:
        """The fields that every change sets."""
        return {"update_time": self._now()} if self._has("update_time") else {}

    @override
    @staticmethod
    def _now() -> datetime:
        return utc_now_milliseconds()

    async def _find_one(self, where: Where, *, deleted: bool | None = False) -> ModelT | None:
        await self.documents.bind(self.model)
        found = self._query(QuerySpec(where), deleted)
        row: ModelT | None = await (found.sort("delete_time") if deleted is None else found).first_or_none()
        return row

    async def _collection(self) -> AsyncCollection[dict[str, Any]]:
        await self.documents.bind(self.model)
        collection: AsyncCollection[dict[str, Any]] = self.model.get_pymongo_collection()
        return collection

    @override
    async def _select(self, selection: Selection) -> Sequence[Any]:
        await self.documents.bind(self.model)
        found = self._query(selection.spec)
        if selection.after:
            found = found.find(all_of(self.model, selection.after))
        order: Any = [
            (stored_path(self.model, key.name), DESCENDING if key.descending else ASCENDING) for key in selection.keys
        ]
        if selection.fields is None:
            instances: Sequence[Any] = await found.sort(order).skip(selection.offset).limit(selection.limit).to_list()
            return instances
        names = {stored_path(self.model, name): name for name in selection.fields}
        raw = self.model.get_pymongo_collection().find(found.get_filter_query(), list(names), session=self.session)
        rows = await raw.sort(order).skip(selection.offset).limit(selection.limit or 0).to_list()
        return [
            {name: _without_refs(row[key]) if key in row else self._default(name) for key, name in names.items()}
            for row in rows
        ]

    def _default(self, name: str) -> Any:
        """The value of a field that was added to the model after the document was stored."""
        return self.model.model_fields[name].get_default(call_default_factory=True)

    @override
    async def _count(self, spec: QuerySpec, cap: int | None) -> int:
        collection = await self._collection()
        options = {} if cap is None else {"limit": cap}
        condition = self._query(spec).get_filter_query()
        return await collection.count_documents(condition, session=self.session, **options)

    def _filter(self, where: Where, deleted: bool | None = False) -> Filter:
        return self._query(QuerySpec(where), deleted).get_filter_query()

    def _query(self, spec: QuerySpec, deleted: bool | None = False) -> FindMany[ModelT]:
        """The matching documents; `deleted` None includes deleted ones, True finds only them."""
        conditions = [all_of(self.model, spec.where)]
        if spec.keyword:
            conditions.append(search(self.model, spec.searched, spec.keyword))
        if self._has("delete_time") and deleted is not None:
            conditions.append(all_of(self.model, {"delete_time__null": not deleted}))
        found: FindMany[ModelT] = self.model.find({"$and": conditions}, with_children=True, session=self.session)
        return found


def _without_refs(value: Any) -> Any:
    """The ids of links."""
    if isinstance(value, DBRef):
        return value.id
    return [_without_refs(item) for item in value] if isinstance(value, list) else value
