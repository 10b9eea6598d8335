"""The operations of `BaseBeanieCRUD` on many documents."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar
from uuid import uuid4

from beanie import Document
from beanie.odm.actions import ActionDirections, EventTypes
from pymongo import UpdateOne
from pymongo.errors import OperationFailure
from pymongo.results import BulkWriteResult
from typing_extensions import override

from src.core.exceptions import ConflictError
from src.core.list_filters import Where
from src.crud.query.checked_fields import Fields
from src.crud.query.documents.constraints import document_violation
from src.crud.query.documents.reads import DocumentReads
from src.crud.query.documents.writes import change, insert_or_change, run_hooks, stored_fields
from src.models.document import utc_now_milliseconds

ModelT = TypeVar("ModelT", bound=Document)


class DocumentBulkWrites(DocumentReads[ModelT]):
    """The operations on many documents of one collection."""

    @override
    async def create_many(self, rows: Sequence[Fields]) -> Sequence[Any]:
        return [row.id for row in await self._create_returning(rows)]

    @override
    async def _create_returning(self, rows: Sequence[Fields]) -> Sequence[ModelT]:
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
        return complete

    @override
    async def update_many(self, where: Where, changes: Fields) -> int:
        collection = await self._collection()
        touched = self._checked_changes(changes) | self._touched()
        operators = change(self.model, {}, stored_fields(self.model, touched), touched)
        with self._writing():
            result = await collection.update_many(await self._filter(where), operators, session=self.session)
        return result.matched_count

    @override
    async def _update_returning(self, where: Where, changes: Fields) -> Sequence[ModelT]:
        ids = [row.id for row in await self.list(where)]
        await self.update_many({**where, "id__in": ids}, changes)
        return await self.list({"id__in": ids})

    @override
    async def update_each(self, rows: Sequence[Fields], *, by: Sequence[str] = ()) -> int:
        by = by or ("id",)
        operations = []
        for row in self._same_fields(rows, by) if rows else ():
            touched = self._checked_changes({name: row[name] for name in row if name not in by}) | self._touched()
            operators = change(self.model, {}, stored_fields(self.model, touched), touched)
            operations.append(UpdateOne(await self._filter({name: row[name] for name in by}), operators))
        return (await self._write(operations)).matched_count if operations else 0

    @override
    async def _upsert_many(self, rows: Sequence[Fields], by: Sequence[str]) -> Sequence[ModelT]:
        await self.documents.bind(self.model)
        new, operations, distinct = [], [], self._same_fields(rows, by)
        for row in distinct:
            fields = self._new_fields(row)
            new.append(self.model.model_validate(fields))
            key = await self._filter({name: getattr(new[-1], name) for name in by})
            changes = self._updated_on_conflict(fields, by)
            operations.append(UpdateOne(key, insert_or_change(new[-1], changes), upsert=True))
        try:
            _ = await self._write(operations)
        except ConflictError:  # another caller was faster, or a document is soft-deleted
            for row in distinct:
                await self.upsert(row, by=by)
        return new

    @override
    async def delete_many(self, where: Where) -> int:
        if self._has("delete_time"):
            return await self.update_many(where, {"delete_time": self._now()})
        return await self.purge_many(where)

    @override
    async def _delete_returning(self, where: Where) -> Sequence[ModelT]:
        rows = await self.list(where)
        await self.delete_many({**where, "id__in": [row.id for row in rows]})
        return rows

    @override
    async def purge_many(self, where: Where) -> int:
        collection, condition = await self._collection(), await self._filter(where, None)
        return (await collection.delete_many(condition, session=self.session)).deleted_count

    async def _write(self, operations: Sequence[UpdateOne]) -> BulkWriteResult:
        collection = await self._collection()
        with self._writing():
            return await collection.bulk_write(operations, session=self.session)

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
