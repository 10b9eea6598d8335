"""All operations of the CRUD base classes: the same tests for SQL and MongoDB."""

from collections.abc import AsyncIterator
from contextlib import nullcontext
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel as Schema

from src.core.exceptions import ConflictError, InvalidInputError, NotFoundError, PreconditionFailedError
from src.core.list_filters import QuerySpec, Total
from src.core.resources import Resources
from src.crud.base import BaseCRUD
from src.crud.permission_code import PermissionCodeCRUD
from src.models.permission_code import PermissionCode
from tests.crud.conftest import ItemDocument, PageOf, PartOf


class TestOneRow:
    async def test_is_found_as_it_was_created(self, items: BaseCRUD[Any]) -> None:
        row = await items.create({"name": "a", "number": 4})
        assert (await items.get(row.id)).number == 4

    async def test_is_not_another_one_that_matches(self, ten: BaseCRUD[Any]) -> None:
        row, other, *_ = await ten.list()
        with pytest.raises(NotFoundError):
            await ten.get(row.id, {"id": other.id})

    async def test_counts_its_changes(self, items: BaseCRUD[Any]) -> None:
        row = await items.create({"name": "a"})
        changed = await items.update(row, {"number": 5}, version=1)
        assert (changed.version, changed.number) == (2, 5)

    async def test_is_not_updated_by_a_stale_version(self, items: BaseCRUD[Any]) -> None:
        row = await items.create({"name": "a"})
        await items.update(row, {"number": 5})
        with pytest.raises(PreconditionFailedError):
            await items.update(row, {"number": 6}, version=1)

    async def test_with_a_taken_unique_value_is_a_conflict(self, items: BaseCRUD[Any]) -> None:
        await items.create({"name": "a"})
        with pytest.raises(ConflictError):
            await items.create({"name": "a"})

    async def test_refuses_unknown_fields(self, items: BaseCRUD[Any]) -> None:
        with pytest.raises(ValueError, match="no such field"):
            await items.create({"unknown": 1})

    async def test_is_inserted_or_updated_by_upsert(self, items: BaseCRUD[Any]) -> None:
        added = await items.upsert({"name": "a", "number": 1}, by=["name"])
        changed = await items.upsert({"name": "a", "number": 2}, by=["name"])
        assert (added.id, changed.number, changed.version) == (changed.id, 2, 2)

    @pytest.mark.parametrize("verb", ["create", "create_many", "upsert"])
    async def test_is_created_and_last_changed_at_one_moment(self, items: BaseCRUD[Any], verb: str) -> None:
        for number in range(20):
            name: dict[str, Any] = {"name": str(number)}
            match verb:
                case "create":
                    await items.create(name)
                case "create_many":
                    await items.create_many([name])
                case _:
                    await items.upsert(name, by=["name"])
        assert {row.update_time - row.create_time for row in await items.list()} == {timedelta()}


class TestJson:
    async def test_that_was_changed_in_place_is_stored(self, items: BaseCRUD[Any]) -> None:
        row = await items.create({"name": "a", "note": {"tags": ["a"]}})
        row.note["tags"].append("b")
        await items.update(row, {"note": row.note})
        assert [found.note for found in await items.project(Noted).list()] == [{"tags": ["a", "b"]}]

    @pytest.mark.parametrize("verb", ["create", "create_many", "update", "update_many", "upsert"])
    async def test_none_is_null(self, items: BaseCRUD[Any], verb: str) -> None:
        fields: dict[str, Any] = {"name": "a", "note": None}
        row = await items.create({**fields, "note": 1}) if verb.startswith("update") else None
        match verb:
            case "create":
                await items.create(fields)
            case "create_many":
                await items.create_many([fields])
            case "update":
                await items.update(row, fields)
            case "update_many":
                await items.update_many({}, fields)
            case _:
                await items.upsert(fields, by=["name"])
        assert (await items.count({"note": None}), await items.count({"note__null": False})) == (1, 0)

    async def test_in_a_list_of_values_is_stored(self, items: BaseCRUD[Any]) -> None:
        await items.create_many([{"name": "a", "note": [None, {"b": None}]}, {"name": "b"}])
        assert [row.note for row in await items.list(order=("name",))] == [[None, {"b": None}], None]


class TestACaughtConflict:
    """A write that fails is undone alone: what came before it stays, and what follows works."""

    @pytest.fixture
    async def row(self, items: BaseCRUD[Any]) -> Any:
        await items.create({"name": "taken"})
        return await items.create({"name": "own"})

    async def fail(self, items: BaseCRUD[Any], verb: str, row: Any) -> None:
        match verb:
            case "create":
                await items.create({"name": "taken"})
            case "create_many":
                await items.create_many([{"name": "taken"}])
            case "update":
                await items.update(row, {"name": "taken"})
            case "update_many":
                await items.update_many({"name": "own"}, {"name": "taken"})
            case _:
                await items.upsert({"id": row.id, "name": "new"}, by=["name"])

    @pytest.mark.parametrize("verb", ["create", "create_many", "update", "update_many", "upsert"])
    async def test_leaves_the_transaction_usable(self, items: BaseCRUD[Any], row: Any, verb: str) -> None:
        with pytest.raises(ConflictError):
            await self.fail(items, verb, row)
        await items.create({"name": "after"})
        assert ({found.name for found in await items.list()}, row.name) == ({"taken", "own", "after"}, "own")

    async def test_in_the_first_statement_leaves_the_next_usable(self, resources: Resources) -> None:
        async with resources.unit_of_work() as uow:
            codes = PermissionCodeCRUD(uow.session)
            taken = (await codes.list(limit=1))[0].code
        async with resources.unit_of_work() as uow:
            codes = PermissionCodeCRUD(uow.session)
            with pytest.raises(ConflictError):
                await codes.create({"code": taken, "name": "", "path": "", "methods": []})
            assert await codes.exists({"code": taken})


class TestADeletedRow:
    async def test_is_not_found(self, items: BaseCRUD[Any]) -> None:
        row = await items.create({"name": "a"})
        await items.delete(row)
        assert (await items.find(row.id), await items.count()) == (None, 0)

    async def test_can_be_restored(self, items: BaseCRUD[Any]) -> None:
        row = await items.create({"name": "a"})
        await items.delete(row)
        await items.restore(row.id)
        assert await items.exists({"name": "a"})

    async def test_is_seen_by_who_may_see_it(self, items: BaseCRUD[Any]) -> None:
        row, _ = await items.create({"name": "a"}), await items.create({"name": "b"})
        await items.delete(row)
        seeing = items.with_deleted()
        assert (await seeing.get(row.id)).delete_time
        assert [shown.name for shown in await seeing.project(Shown).list({"delete_time__null": False})] == ["a"]
        counts = await seeing.count(), await items.count(), (await seeing.page(PageOf()))[1]
        assert counts == (2, 1, 2)
        await seeing.update_many({}, {"number": 8})
        assert [found.number for found in await seeing.list()] == [8, 8]

    async def test_can_be_deleted_for_good(self, items: BaseCRUD[Any]) -> None:
        rows = [await items.create({"name": name}) for name in "abc"]
        for row in rows[:2]:
            await items.delete(row)
        await items.purge(rows[0])
        assert [row.name for row in await items.with_deleted().list(order=("name",))] == ["b", "c"]
        assert (await items.purge_many({"name__in": ["b", "c"]}), await items.with_deleted().count()) == (2, 0)

    async def test_is_the_only_kind_that_can_be_restored(self, items: BaseCRUD[Any]) -> None:
        row = await items.create({"name": "a"})
        with pytest.raises(NotFoundError):
            await items.restore(row.id)


class TestManyRows:
    async def test_are_all_refused_for_one_conflict(self, items: BaseCRUD[Any]) -> None:
        with pytest.raises(ConflictError):
            await items.create_many([{"name": "a"}, {"name": "a"}])

    async def test_that_become_equal_are_a_conflict(self, ten: BaseCRUD[Any]) -> None:
        with pytest.raises(ConflictError):
            await ten.update_many({"number": 1}, {"name": "same"})

    async def test_are_updated_with_one_statement(self, ten: BaseCRUD[Any]) -> None:
        assert await ten.update_many({"number": 1}, {"maybe": 9}) == 3
        assert {(row.version, row.maybe) for row in await ten.list({"number": 1})} == {(2, 9)}

    async def test_are_deleted_with_one_statement(self, ten: BaseCRUD[Any]) -> None:
        assert (await ten.delete_many({"number__gte": 1}), await ten.count()) == (6, 4)


class TestFilters:
    @pytest.mark.parametrize(
        ("where", "matches"),
        [
            ({}, 10),
            ({"number": 1}, 3),
            ({"number__ne": 1}, 7),
            ({"number__in": [0, 2]}, 7),
            ({"number__lt": 1}, 4),
            ({"number__lte": 1}, 7),
            ({"number__gt": 1}, 3),
            ({"maybe": None}, 3),
            ({"maybe__ne": 1}, 5),
            ({"maybe__not_in": [1]}, 5),
            ({"maybe__in": [1, None]}, 8),
            ({"maybe__in": [None]}, 3),
            ({"maybe__not_in": [1, None]}, 2),
            ({"maybe__not_in": [None]}, 7),
            ({"maybe__in": [None], "number__not_in": [0, None]}, 2),
            ({"number": "1"}, 3),
            ({"name__ends": "_03"}, 1),
            ({"name__ends": "ME_03"}, 0),
            ({"name__ends": "%"}, 0),
            ({"name__ieq": "nA%ME_03"}, 1),
            ({"name__ieq": "na%me"}, 0),
            ({"or": [{"number": 1}, {"number": 2, "maybe": 1}]}, 4),
            ({"or": [{"number": 1}, {"number": 2, "maybe": 1}], "maybe__null": True}, 1),
            ({"or": [{"maybe": None}, {"maybe__in": [0, None]}], "number__lt": 2}, 3),
            ({"or": []}, 0),
            ({"or": [{}, {"number": 1}]}, 10),
            ({"or": [{"or": [{"number": 0}, {"number": 1}], "maybe": 0}, {"name__ends": "_01"}]}, 2),
            ({"maybe__null": True}, 3),
            ({"maybe__null": False}, 7),
            ({"name__contains": "a%ME_0"}, 10),
            ({"name__contains": "N_m"}, 0),
            ({"name__starts": "Na%me_01"}, 1),
            ({"name__starts": "na"}, 0),
        ],
    )
    async def test_match(self, ten: BaseCRUD[Any], where: dict[str, Any], matches: int) -> None:
        assert await ten.count(where) == matches

    @pytest.mark.parametrize(
        ("where", "names"),
        [
            ({"note.city.name": "Berlin"}, "a"),
            ({"note.city.name__starts": "Ber"}, "a"),
            ({"note.city.name__contains": "B.r"}, ""),
            ({"note.city.name__contains": "eRL"}, "ab"),
            ({"note.city.name__ends": "lin"}, "a"),
            ({"note.city.name__ieq": "BERLIN"}, "a"),
            ({"note.n": 3}, "a"),
            ({"note.n__gt": 2}, "a"),
            ({"note.n__in": [3, "3"]}, "ab"),
            ({"note.n__in": [3, None]}, "acd"),
            ({"note.n__not_in": [3]}, "bcd"),
            ({"note.n__not_in": [3, None]}, "b"),
            ({"note.n__ne": 3}, "bcd"),
            ({"note.n__null": True}, "cd"),
            ({"note.n__null": False}, "ab"),
            ({"note.n": None}, "cd"),
            ({"note.n__ne": None}, "ab"),
            ({"note.tags": "x"}, "ac"),
            ({"note.tags__null": False}, "ac"),
            ({"note.on": True}, "c"),
            ({'note.it\'s "q"': "\"'"}, "c"),
            ({"or": [{"note.n": 3}, {"note.on": True}], "name__in": ["a", "c"]}, "ac"),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("items", ["sql", "mongo"], indirect=True)
    async def test_match_inside_json(self, items: BaseCRUD[Any], where: dict[str, Any], names: str) -> None:
        notes: list[Any] = [
            {"city": {"name": "Berlin"}, "n": 3, "tags": ["x", "y"]},
            {"city": {"name": "Perle"}, "n": "3"},
            {"n": None, "on": True, "tags": ["x"], 'it\'s "q"': "\"'"},
            None,
        ]
        await items.create_many([{"name": name, "note": note} for name, note in zip("abcd", notes, strict=True)])
        assert "".join([row.name for row in await items.list(where, order=("name",))]) == names
        assert await items.count(where) == len(names)

    async def test_search_inside_json(self, items: BaseCRUD[Any]) -> None:
        await items.create({"name": "a", "note": {"city": {"name": "Berlin"}}})
        await items.create({"name": "b", "note": {"city": 1}})
        requested = QuerySpec(keyword="ERL", searched=("name", "note.city.name"))
        assert [row.name for row in (await items.page(PageOf(requested=requested)))[0]] == ["a"]

    async def test_inside_json_are_no_orders_of_tables(self, sql_items: BaseCRUD[Any]) -> None:
        with pytest.raises(ValueError, match=r"no field 'note\.n'"):
            await sql_items.list(order=("note.n",))
        with pytest.raises(ValueError, match=r"no such field: note\.n"):
            await sql_items.aggregate("count", by=("note.n",))

    async def test_inside_json_with_too_large_numbers_are_invalid_input(self, items: BaseCRUD[Any]) -> None:
        with pytest.raises(InvalidInputError):
            await items.count({"note.n": 2**63})

    @pytest.mark.parametrize("where", [{"note.n": {"a": 1}}, {"note.n__in": [[1]]}, {"note.n__starts": 1}], ids=str)
    async def test_inside_json_compare_single_values(self, sql_items: BaseCRUD[Any], where: dict[str, Any]) -> None:
        with pytest.raises(InvalidInputError):
            await sql_items.count(where)

    @pytest.mark.parametrize("text", ["a/b", "/", "50%", "%\\", "\\", "_", "*", "(", "$"])
    async def test_match_text_literally(self, items: BaseCRUD[Any], text: str) -> None:
        await items.create_many([{"name": f"{text} beginning"}, {"name": f"end {text}"}, {"name": "a.b 50.plain"}])
        requested = QuerySpec(keyword=text, searched=("name",))
        found = [await items.count({f"name__{operator}": text}) for operator in ("contains", "starts")]
        assert (found, (await items.page(PageOf(requested=requested)))[1]) == ([2, 1], 2)

    @pytest.mark.parametrize("name", ["unknown", "number__unknown"])
    async def test_that_do_not_exist_are_refused(self, ten: BaseCRUD[Any], name: str) -> None:
        with pytest.raises(ValueError, match="unknown"):
            await ten.count({name: 1})

    @pytest.mark.parametrize(
        ("where", "field"),
        [
            ({"number": 2**63}, "number"),
            ({"number__in": [1, -(2**63) - 1]}, "number"),
            ({"number__gt": "many"}, "number"),
            ({"number__lte": 1.5}, "number"),
            ({"number__contains": "1"}, "number"),
            ({"number__in": 1}, "number"),
            ({"number__starts": 1}, "number"),
            ({"name__contains": 1}, "name"),
            ({"name": 1}, "name"),
            ({"id": "x"}, "id"),
            ({"create_time__lt": "yesterday"}, "createTime"),
        ],
        ids=str,
    )
    async def test_with_unusable_values_are_invalid_input(
        self, ten: BaseCRUD[Any], where: dict[str, Any], field: str
    ) -> None:
        for query in (ten.count, ten.list, ten.exists, ten.delete_many, partial(ten.page, PageOf())):
            with pytest.raises(InvalidInputError) as caught:
                await query(where)
            assert caught.value.data[0]["field"] == field

    @pytest.mark.parametrize(("value", "is_valid"), [(2**31 - 1, True), (-(2**31), True), (2**31, False)])
    async def test_on_a_column_of_32_bits_are_of_32_bits(
        self, sql_items: BaseCRUD[Any], value: int, is_valid: bool
    ) -> None:
        with nullcontext() if is_valid else pytest.raises(InvalidInputError):
            assert await sql_items.count({"number__gte": value}) == 0 or value < 0

    async def test_of_the_same_shape_do_not_share_values(self, ten: BaseCRUD[Any]) -> None:
        lists: list[Any] = [[0], [0, 1], []]
        assert [await ten.count({"number__in": numbers}) for numbers in lists] == [4, 7, 0]
        assert [await ten.count({"maybe": value}) for value in (1, None, 0, None)] == [5, 3, 2, 3]
        assert [await ten.count({"maybe__null": value}) for value in (True, False, True)] == [3, 7, 3]


class Shown(Schema):
    name: str
    maybe: int | None


class Noted(Schema):
    note: Any


class TestProjectedRows:
    async def test_are_the_rows_of_the_list(self, ten: BaseCRUD[Any]) -> None:
        rows = await ten.list({"number": 1}, order=("-name",))
        shown = await ten.project(Shown).list({"number": 1}, order=("-name",))
        assert shown == [Shown(name=row.name, maybe=row.maybe) for row in rows]

    async def test_are_paged_with_a_total(self, ten: BaseCRUD[Any]) -> None:
        requested = QuerySpec(where={"number": 0}, keyword="na%", searched=("name",))
        shown, total = await ten.project(Shown).page(PageOf(2, requested=requested))
        assert ([row.name for row in shown], total) == (["Na%me_09"], 4)

    @pytest.mark.parametrize("order", [(), ("-number",), ("maybe", "number")], ids=",".join)
    async def test_follow_cursors_by_fields_that_the_schema_lacks(
        self, ten: BaseCRUD[Any], order: tuple[str, ...]
    ) -> None:
        seen, cursor, following = [], "", None
        for _ in range(4):
            rows, following = await ten.project(Shown).cursor(PartOf(cursor, requested=QuerySpec(order=order)))
            seen += [row.name for row in rows]
            cursor = following or ""
        assert (seen, following) == ([row.name for row in await ten.list(order=order)], None)

    async def test_of_documents_without_a_new_field_have_its_default(self, mongo_items: BaseCRUD[Any]) -> None:
        await ItemDocument.get_pymongo_collection().insert_one({"name": "old"})
        assert await mongo_items.project(Shown).list() == [Shown(name="old", maybe=None)]

    async def test_exclude_deleted_rows(self, ten: BaseCRUD[Any]) -> None:
        await ten.delete_many({"number__in": [0, 1]})
        assert len(await ten.project(Shown).list()) == 3

    async def test_of_a_schema_with_unknown_fields_are_refused(self, ten: BaseCRUD[Any]) -> None:
        class Unknown(Schema):
            unknown: int

        with pytest.raises(ValueError, match="unknown"):
            await ten.project(Unknown).list()


class TestLists:
    ORDERS: ClassVar = [
        (), ("number",), ("-number",), ("maybe",), ("-maybe",), ("number", "-maybe"), ("-maybe", "number"), ("name",),
        ("-create_time",), ("-id",),
    ]  # fmt: skip

    @pytest.mark.parametrize("order", ORDERS, ids=",".join)
    async def test_are_complete_by_page(self, ten: BaseCRUD[Any], order: tuple[str, ...]) -> None:
        requested = QuerySpec(order=order)
        pages = [(await ten.page(PageOf(page, requested=requested)))[0] for page in range(1, 5)]
        assert [row.id for page in pages for row in page] == [row.id for row in await ten.list(order=order)]

    @pytest.mark.parametrize("order", ORDERS, ids=",".join)
    async def test_are_complete_by_cursor(self, ten: BaseCRUD[Any], order: tuple[str, ...]) -> None:
        seen, cursor, following = [], "", None
        for _ in range(4):
            rows, following = await ten.cursor(PartOf(cursor, requested=QuerySpec(order=order)))
            seen += [row.id for row in rows]
            cursor = following or ""
        assert (seen, following) == ([row.id for row in await ten.list(order=order)], None)

    async def test_by_cursor_are_limited_to_what_the_caller_may_see(self, ten: BaseCRUD[Any]) -> None:
        seen, cursor = [], ""
        for _ in range(2):
            rows, following = await ten.project(Shown).cursor(PartOf(cursor, limit=2), {"number": 0})
            seen += [row.name for row in rows]
            cursor = following or ""
        assert (seen, cursor) == ([row.name for row in await ten.list({"number": 0})], "")
        _, cursor_of_0 = await ten.cursor(PartOf(limit=2), {"number": 0})
        with pytest.raises(InvalidInputError):
            await ten.cursor(PartOf(cursor_of_0 or "", limit=2), {"number": 1})

    @pytest.mark.parametrize(
        ("requested", "where", "matches"),
        [
            ({"number": 1}, {"number": 2}, 0),
            ({"number__gte": 1}, {"number__gte": 0}, 6),
            ({"number__gte": 1}, {"number__gte": 0, "or": [{"number": 0}, {"number": 2}]}, 3),
            ({"or": [{"number": 0}, {"number": 2}]}, {"or": [{"number": 1}, {"number": 2, "maybe": 1}], "maybe": 1}, 1),
        ],
        ids=str,
    )
    async def test_match_both_the_request_and_the_caller(
        self, ten: BaseCRUD[Any], requested: dict[str, Any], where: dict[str, Any], matches: int
    ) -> None:
        rows, total = await ten.page(PageOf(page_size=20, requested=QuerySpec(where=requested)), where)
        assert (len(rows), total) == (matches, matches)

    async def test_of_alternatives_do_not_share_values(self, ten: BaseCRUD[Any]) -> None:
        counts = [await ten.count({"or": [{"number": one}, {"number": other}]}) for one, other in ((0, 1), (1, 2))]
        listed = [len(await ten.list({"or": [{"name__ends": end} for end in ends]})) for ends in (("1", "2"), ("3",))]
        assert (counts, listed) == ([7, 6], [2, 1])

    async def test_by_cursor_are_not_shifted_by_an_insert(self, ten: BaseCRUD[Any]) -> None:
        requested = QuerySpec(order=("-id",))
        first, cursor = await ten.cursor(PartOf(requested=requested))
        await ten.create({"name": "new"})
        second, _ = await ten.cursor(PartOf(cursor or "", requested=requested))
        assert [row.name for row in [*first, *second]] == [f"Na%me_{index:02}" for index in range(9, 3, -1)]

    @pytest.mark.parametrize(("total", "told"), [(Total.EXACT, 10), (Total.CAPPED, 10), (Total.NONE, None)])
    async def test_are_counted_as_requested(self, ten: BaseCRUD[Any], total: Total, told: int | None) -> None:
        assert (await ten.page(PageOf(total=total)))[1] == told

    async def test_find_a_keyword(self, ten: BaseCRUD[Any]) -> None:
        requested = QuerySpec(keyword="ME_05", searched=("name",))
        assert [row.name for row in (await ten.page(PageOf(requested=requested)))[0]] == ["Na%me_05"]


class TestACursor:
    @pytest.mark.parametrize("requested", [QuerySpec(order=("number",)), QuerySpec(where={"number": 1})])
    async def test_is_only_valid_for_its_own_list(self, ten: BaseCRUD[Any], requested: QuerySpec) -> None:
        _, cursor = await ten.cursor(PartOf())
        with pytest.raises(InvalidInputError):
            await ten.cursor(PartOf(cursor or "", requested=requested))

    async def test_is_valid_whatever_the_order_of_a_set(self, ten: BaseCRUD[Any]) -> None:
        numbers = [{0, 8}, {8, 0}]  # equal, but iterated as sets of strings are by two processes
        assert [list(found) for found in numbers] == [[0, 8], [8, 0]]
        first, cursor = await ten.cursor(PartOf(), {"number__in": numbers[0]})
        second, _ = await ten.cursor(PartOf(cursor or ""), {"number__in": numbers[1]})
        assert (len(first), len(second)) == (3, 1)

    @pytest.mark.parametrize("forged", ["!", "é", "AAAA", "A" * 60])
    async def test_cannot_be_forged(self, ten: BaseCRUD[Any], forged: str) -> None:
        with pytest.raises(InvalidInputError):
            await ten.cursor(PartOf(forged))


class TestLockedRows:
    """`lock_rows` of a table: SELECT … FOR UPDATE."""

    @pytest.fixture
    async def runs(self, resources: Resources) -> AsyncIterator[list[PermissionCode]]:
        rows = [PermissionCode(code=f"test:lock:{number}", name="", path="", methods=[]) for number in range(2)]
        async with resources.sessions() as session:
            session.add_all(rows)
            await session.commit()
        yield rows
        async with resources.sessions() as session:
            await PermissionCodeCRUD(session).delete_many({"code__starts": "test:lock:"})
            await session.commit()

    async def test_are_left_to_who_holds_them(self, resources: Resources, runs: list[PermissionCode]) -> None:
        where, order = {"code__starts": "test:lock:"}, ("code",)
        async with resources.sessions() as first, resources.sessions() as second:
            held = await PermissionCodeCRUD(first).lock_rows(where, order=order, limit=1)
            others = await PermissionCodeCRUD(second).lock_rows(where, order=order, skip_locked=True)
            assert ([row.id for row in held], [row.id for row in others]) == ([runs[0].id], [runs[1].id])

    async def test_are_as_they_are_now(self, resources: Resources, runs: list[PermissionCode]) -> None:
        async with resources.sessions() as session:
            codes = PermissionCodeCRUD(session)
            read = await codes.get(runs[0].id)
            async with resources.sessions() as other:
                await PermissionCodeCRUD(other).update_many({"id": read.id}, {"name": "changed"})
                await other.commit()
            assert [row.name for row in await codes.lock_rows({"id": read.id})] == ["changed"]
