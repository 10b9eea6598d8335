import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast
from uuid import UUID

from beanie import Document
from beanie.odm.utils.encoder import Encoder
from pydantic import BaseModel as PydanticModel
from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError, DuplicateKeyError
from typing_extensions import override

from src.core.exceptions import ConflictError
from src.core.list_filters import QuerySpec, Where, split_filter
from src.core.stores.documents import Documents
from src.crud.base import BaseCRUD, Fields
from src.crud.query.list_queries import Selection
from src.models.document import utc_now_milliseconds

ModelT = TypeVar("ModelT", bound=Document)
Filter = dict[str, Any]

DUPLICATE_KEY = 11000

_FILTERS: dict[str, Callable[[Any], Any]] = {
    "eq": lambda value: value,
    "ne": lambda value: {"$ne": value},
    "in": lambda value: {"$in": value},
    "not_in": lambda value: {"$nin": value},
    "lt": lambda value: {"$lt": value},
    "lte": lambda value: {"$lte": value},
    "gt": lambda value: {"$gt": value},
    "gte": lambda value: {"$gte": value},
    "contains": lambda value: {"$regex": re.escape(value), "$options": "i"},
    "starts": lambda value: {"$regex": "^" + re.escape(value)},
    "null": lambda value: None if value else {"$ne": None},
}


class BaseBeanieCRUD(BaseCRUD[ModelT]):
    """The operations on one collection; with a session, in its transaction."""

    def __init__(
        self, documents: Documents, session: AsyncClientSession | None = None, actor_id: UUID | None = None
    ) -> None:
        self.documents = documents
        self.session = session
        self.actor_id = actor_id

    @override
    async def find(self, key: UUID) -> ModelT | None:
        await self.documents.bind(self.model)
        row: ModelT | None = await self.model.find_one(self._where(QuerySpec({"id": key})), session=self.session)
        return row

    @override
    async def exists(self, where: Where | None = None) -> bool:
        return await self._count(QuerySpec(where or {}), 1) > 0

    @override
    async def create(self, data: PydanticModel | Fields) -> ModelT:
        await self.documents.bind(self.model)
        row: ModelT = self.model.model_validate(self._new_fields(data))
        try:
            await row.insert(session=self.session)
        except DuplicateKeyError as error:
            raise ConflictError from error
        return row

    @override
    async def create_many(self, rows: Sequence[Fields]) -> Sequence[UUID]:
        if not rows:
            return []
        await self.documents.bind(self.model)
        complete: Sequence[ModelT] = [self.model.model_validate(self._new_fields(row)) for row in rows]
        try:
            await self.model.insert_many(complete, session=self.session)
        except BulkWriteError as error:
            if all(failure["code"] == DUPLICATE_KEY for failure in error.details["writeErrors"]):
                raise ConflictError from error
            raise
        return [cast(UUID, row.id) for row in complete]

    @override
    async def update(self, row: ModelT, changes: Fields, *, version: int | None = None) -> ModelT:
        self._check_version(row, version)
        as_read = {"id": row.id, "version": row.version} if self._has("version") else {"id": row.id}
        changed = await self._change_one(self._where(QuerySpec(as_read)), self._change(self._checked_changes(changes)))
        if changed is None:
            raise self._changed_since_read(version) if self._has("version") else self.not_found()
        return _copy(changed, row)

    @override
    async def update_many(self, where: Where, changes: Fields) -> int:
        collection = await self._collection()
        change = self._change(self._checked_changes(changes))
        try:
            result = await collection.update_many(self._where(QuerySpec(where)), change, session=self.session)
        except DuplicateKeyError as error:
            raise ConflictError from error
        return result.matched_count

    @override
    async def upsert(self, data: Fields, *, by: Sequence[str]) -> ModelT:
        await self.documents.bind(self.model)
        fields = self._new_fields(data)
        changes = self._updated_on_conflict(fields, by)
        if self._has("delete_time"):
            changes["delete_time"] = None
        change = self._change(changes)
        inserted = Encoder(to_db=True).encode(self.model.model_validate(fields))
        change["$setOnInsert"] = {
            name: value for name, value in inserted.items() if name not in change["$set"] and name != "version"
        }
        by_key = {name: Encoder().encode(fields[name]) for name in by}
        row = await self._change_one(by_key, change, upsert=True)
        if row is None:
            raise ConflictError
        return row

    @override
    async def delete(self, row: ModelT) -> None:
        if self._has("delete_time"):
            await self.update(row, {"delete_time": utc_now_milliseconds()})
        else:
            await self.documents.bind(self.model)
            await row.delete(session=self.session)

    @override
    async def delete_many(self, where: Where) -> int:
        if self._has("delete_time"):
            return await self.update_many(where, {"delete_time": utc_now_milliseconds()})
        collection = await self._collection()
        return (await collection.delete_many(self._where(QuerySpec(where)), session=self.session)).deleted_count

    @override
    async def restore(self, key: UUID) -> ModelT:
        deleted: Filter = {"_id": key, "delete_time": {"$ne": None}}
        row = await self._change_one(deleted, self._change(self._checked_changes({"delete_time": None})))
        if row is None:
            raise self.not_found()
        return row

    async def _collection(self) -> AsyncCollection[dict[str, Any]]:
        await self.documents.bind(self.model)
        collection: AsyncCollection[dict[str, Any]] = self.model.get_pymongo_collection()
        return collection

    def _change(self, changes: Fields) -> dict[str, Any]:
        encoded = {name: Encoder().encode(value) for name, value in changes.items()}
        change: dict[str, Any] = {"$set": {**encoded, "update_time": utc_now_milliseconds()}}
        return {**change, "$inc": {"version": 1}} if self._has("version") else change

    async def _change_one(self, where: Filter, change: dict[str, Any], *, upsert: bool = False) -> ModelT | None:
        collection = await self._collection()
        try:
            document = await collection.find_one_and_update(
                where, change, upsert=upsert, return_document=ReturnDocument.AFTER, session=self.session
            )
        except DuplicateKeyError as error:
            raise ConflictError from error
        row: ModelT | None = None if document is None else self.model.model_validate(document)
        return row

    @override
    async def _select(self, selection: Selection) -> Sequence[Any]:
        await self.documents.bind(self.model)
        where = self._where(selection.spec)
        if selection.after:
            where = {"$and": [where, self._filters(selection.after)]}
        order = [(self._field(key.name), DESCENDING if key.descending else ASCENDING) for key in selection.keys]
        offset, limit = selection.offset, selection.limit
        if selection.fields is None:
            found = self.model.find(where, session=self.session).sort(order).skip(offset).limit(limit)
            instances: Sequence[Any] = await found.to_list()
            return instances
        names = {self._field(name): name for name in selection.fields}
        query = self.model.get_pymongo_collection().find(where, names.keys(), session=self.session)
        rows: list[dict[str, Any]] = await query.sort(order).skip(offset).limit(limit or 0).to_list()
        return [{name: row[key] if key in row else self._default(name) for key, name in names.items()} for row in rows]

    def _default(self, name: str) -> Any:
        """The value of a field that was added to the model after the document was stored."""
        return self.model.model_fields[name].get_default(call_default_factory=True)

    @override
    async def _count(self, spec: QuerySpec, cap: int | None) -> int:
        collection = await self._collection()
        options = {} if cap is None else {"limit": cap}
        return await collection.count_documents(self._where(spec), session=self.session, **options)

    def _where(self, spec: QuerySpec) -> Filter:
        conditions = [self._filters(spec.where)]
        if spec.keyword:
            contains = _FILTERS["contains"](spec.keyword)
            conditions.append({"$or": [{self._field(name): contains} for name in spec.searched]})
        if self._has("delete_time"):
            conditions.append({"delete_time": None})
        return {"$and": conditions}

    def _filters(self, where: Where) -> Filter:
        named = ((*split_filter(name), value) for name, value in where.items())
        conditions = [
            {self._field(field): _FILTERS[operator](Encoder().encode(value))} for field, operator, value in named
        ]
        return {"$and": conditions} if conditions else {}

    def _field(self, name: str) -> str:
        if not self._has(name):
            raise ValueError(f"{self.model.__name__} has no field {name!r}.")
        return "_id" if name == "id" else name


def _copy(source: ModelT, target: ModelT) -> ModelT:
    for name in type(source).model_fields:
        setattr(target, name, getattr(source, name))
    return target
