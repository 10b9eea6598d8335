"""The queries of `BaseBeanieCRUD` that only read."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from beanie import Document
from beanie.odm.queries.find import FindMany
from bson import DBRef
from pymongo import ASCENDING, DESCENDING
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from typing_extensions import override

from src.core.list_filters import OR, QuerySpec, SortKey, Where, combined, nested_paths, unique_order
from src.core.stores.documents import Documents
from src.crud.base import BaseCRUD, Key
from src.crud.query.aggregates import Aggregate
from src.crud.query.documents.aggregates import aggregate_pipeline
from src.crud.query.documents.filters import Filter, all_of, both, search, stored_path
from src.crud.query.documents.links import LinkField, attach, link_of, linked_ids, own_value
from src.crud.query.list_queries import Selection
from src.crud.query.row_shape import RowShape

ModelT = TypeVar("ModelT", bound=Document)


class DocumentReads(BaseCRUD[ModelT]):
    """The queries on one collection; with a session, in its transaction."""

    def __init__(
        self, documents: Documents, session: AsyncClientSession | None = None, actor_id: UUID | None = None
    ) -> None:
        self.documents = documents
        self.session = session
        self.actor_id = actor_id

    @override
    async def find(self, key: Key, *, include: Sequence[str] = ()) -> ModelT | None:
        return await self._first({"id": key}, include)

    @override
    async def exists(self, where: Where | None = None) -> bool:
        return await self._count(QuerySpec(where or {}), 1) > 0

    async def _find_one(self, where: Where, *, deleted: bool | None = False) -> ModelT | None:
        found = await self._query(QuerySpec(where), deleted)
        row: ModelT | None = await (found.sort("delete_time") if deleted is None else found).first_or_none()
        return row

    async def _collection(self) -> AsyncCollection[dict[str, Any]]:
        await self.documents.bind(self.model)
        collection: AsyncCollection[dict[str, Any]] = self.model.get_pymongo_collection()
        return collection

    @override
    async def _select(self, selection: Selection, deleted: bool | None = False) -> Sequence[Any]:
        found = await self._query(selection.spec, deleted, selection.after)
        order: Any = [
            (stored_path(self.model, key.name), DESCENDING if key.descending else ASCENDING) for key in selection.keys
        ]
        if selection.shape is None:
            instances: Sequence[Any] = await found.sort(order).skip(selection.offset).limit(selection.limit).to_list()
            for name, rest in nested_paths(selection.spec.include).items():
                await self._load(instances, name, partial(Selection, QuerySpec(include=tuple(rest))))
            return instances
        shape = selection.shape
        links = {name: self._link(name) for name, _ in shape.relations}
        own = ["id" if link.back else name for name, link in links.items()]
        names = {stored_path(self.model, name): name for name in shape.with_fields(own).fields}
        raw = self.model.get_pymongo_collection().find(found.get_filter_query(), list(names), session=self.session)
        rows = await raw.sort(order).skip(selection.offset).limit(selection.limit or 0).to_list()
        shown = [
            {name: _without_refs(row[key]) if key in row else self._default(name) for key, name in names.items()}
            for row in rows
        ]
        for name, nested in shape.relations:
            further = nested.with_fields(["id", *filter(None, [links[name].back])])
            await self._load(shown, name, partial(Selection, QuerySpec(), shape=further))
        return shown

    async def _load(self, rows: Sequence[Any], name: str, selection: Callable[..., Selection]) -> None:
        """Load a link of rows with one query, in the given shape."""
        link = self._link(name)
        if link.back:
            keys, filtered = [key for row in rows for key in linked_ids(own_value(row, "id"))], f"{link.back}__in"
        else:
            keys, filtered = [key for row in rows for key in linked_ids(own_value(row, name))], "id__in"
        empty = selection(keys=unique_order(()), limit=None)
        wanted = replace(empty, spec=replace(empty.spec, where={filtered: list(dict.fromkeys(keys))}))
        # A single link leads to its document even if that is deleted.
        linked = await self.of(link.model)._select(wanted, False if link.is_many else None) if keys else []
        attach(rows, name, link, linked)

    @override
    def _is_data(self, name: str, value: Any) -> bool:
        is_reference = isinstance(value, Mapping) and value.keys() == {"id", "collection"}  # as Beanie writes it
        return super()._is_data(name, value) and not is_reference

    def _link(self, name: str) -> LinkField:
        link = link_of(self.model, name)
        if link is None:
            raise ValueError(f"{self.model.__name__} has no relation {name!r}.")
        return link

    @override
    @staticmethod
    def _related(model: Any, name: str) -> Any:
        link = link_of(model, name)
        return None if link is None else link.model

    @abstractmethod
    def of(self, model: type[Any]) -> "DocumentReads[Any]":
        """The operations on another collection."""

    def _default(self, name: str) -> Any:
        """The value of a field that was added to the model after the document was stored."""
        return self.model.model_fields[name].get_default(call_default_factory=True)

    @override
    async def _count(self, spec: QuerySpec, cap: int | None) -> int:
        collection = await self._collection()
        options = {} if cap is None else {"limit": cap}
        condition = (await self._query(spec)).get_filter_query()
        return await collection.count_documents(condition, session=self.session, **options)

    @override
    async def _aggregate(
        self, wanted: Sequence[Aggregate], by: Sequence[str], where: Where, keys: Sequence[SortKey], limit: int | None
    ) -> Sequence[dict[str, Any]]:
        condition, collection = await self._filter(where), await self._collection()
        paths = [(one, stored_path(self.model, one.field) if one.field else "") for one in wanted]
        groups = [(name, stored_path(self.model, name)) for name in by]
        stages = [{"$match": condition}, *aggregate_pipeline(paths, groups, keys, limit)]
        found = await (await collection.aggregate(stages, session=self.session)).to_list()
        if not found and not by:
            found = [{}]
        return [
            {name: _without_refs((row["_id"] or {}).get(f"group_{number}")) for number, name in enumerate(by)}
            | {one.name: one.value(row.get(f"value_{number}")) for number, one in enumerate(wanted)}
            for row in found
        ]

    async def _filter(self, where: Where, deleted: bool | None = False) -> Filter:
        return (await self._query(QuerySpec(where), deleted)).get_filter_query()

    async def _query(
        self, spec: QuerySpec, deleted: bool | None = False, after: Where | None = None
    ) -> FindMany[ModelT]:
        """The matching documents; `deleted` None includes deleted ones, True finds only them."""
        await self.documents.bind(self.model)
        conditions = [all_of(self.model, await self._without_links(spec.where)), all_of(self.model, after or {})]
        if spec.keyword:
            conditions.append(search(self.model, spec.searched, spec.keyword))
        if self._has("delete_time") and deleted is not None and not self._sees_deleted:
            conditions.append(all_of(self.model, {"delete_time__null": not deleted}))
        found: FindMany[ModelT] = self.model.find(both(*conditions), with_children=True, session=self.session)
        return found

    async def _without_links(self, where: Where) -> Where:
        """The filters, with those on linked documents replaced by the ids that they find."""
        if not any(name == OR or self._is_linked(name, value) for name, value in where.items()):
            return where
        own: Where = {}
        for name, value in where.items():
            if name == OR:
                condition: Where = {OR: [await self._without_links(alternative) for alternative in value]}
            elif self._is_linked(name, value):
                condition = await self._found_by_link(name, value)
            else:
                condition = {name: value}
            own = combined(own, condition)
        return own

    def _is_linked(self, name: str, value: Any) -> bool:
        head, _, rest = name.partition(".")
        field = rest.partition("__")[0]
        return link_of(self.model, head) is not None and (isinstance(value, Mapping) or field not in ("", "id"))

    async def _found_by_link(self, name: str, value: Any) -> Where:
        head, _, rest = name.partition(".")
        link = self._link(head)
        path = link.back or "id"
        where = {rest: value} if rest else value
        shape = RowShape((path,))
        selection = Selection(QuerySpec(where), unique_order(()), None, shape=shape)
        rows = await self.of(link.model)._select(selection, False if link.is_many else None)
        keys = [key for row in rows for key in linked_ids(row[path])]
        return {"id__in" if link.back else f"{head}__in": list(dict.fromkeys(keys))}


def _without_refs(value: Any) -> Any:
    """The ids of links."""
    if isinstance(value, DBRef):
        return value.id
    return [_without_refs(item) for item in value] if isinstance(value, list) else value
