"""Beanie's own rules hold for the operations of `BaseBeanieCRUD`: inheritance, aliases, links, encoders and hooks."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from beanie import Document, Insert, Link, Replace, Save, Update, after_event, before_event
from pydantic import BaseModel as Schema
from pydantic import Field
from pymongo import IndexModel

from src.core.exceptions import ConflictError, NotFoundError
from src.core.resources import Resources
from src.crud.crud_beanie import BaseBeanieCRUD
from src.models.document import BaseDocument
from src.models.mixins import SoftDelete
from tests.crud.conftest import PageOf, PartOf


class Vehicle(BaseDocument):
    name: str
    wheels: int = 4

    class Settings:
        name = "test_vehicles"
        is_root = True


class Car(Vehicle):
    doors: int = 5


class Convertible(Car):
    pass


class Bike(SoftDelete, Vehicle):
    wheels: int = 2


class VehicleCRUD(BaseBeanieCRUD[Vehicle]):
    model: ClassVar[type[Vehicle]] = Vehicle


class CarCRUD(BaseBeanieCRUD[Car]):
    model: ClassVar[type[Car]] = Car


class BikeCRUD(BaseBeanieCRUD[Bike]):
    model: ClassVar[type[Bike]] = Bike


class Named(Schema):
    name: str


@pytest.fixture
async def vehicles(resources: Resources) -> AsyncIterator[VehicleCRUD]:
    """A vehicle, a car, a convertible and a bike, all called by their class."""
    crud = VehicleCRUD(resources.documents)
    await CarCRUD(resources.documents).create({"name": "car"})
    await crud.create({"name": "vehicle"})
    await BikeCRUD(resources.documents).create({"name": "bike"})
    await resources.documents.bind(Convertible)
    await Convertible(name="convertible").insert()
    yield crud
    await resources.mongo["test_vehicles"].drop()


async def names(crud: BaseBeanieCRUD[Any]) -> list[str]:
    return sorted(row.name for row in await crud.list())


@pytest.mark.usefixtures("vehicles")
class TestASubclass:
    """`CarCRUD` sees cars and convertibles, whatever the operation."""

    @pytest.fixture
    def cars(self, resources: Resources) -> CarCRUD:
        return CarCRUD(resources.documents)

    async def test_lists_and_counts_its_own(self, cars: CarCRUD) -> None:
        assert (await names(cars), await cars.count()) == (["car", "convertible"], 2)

    async def test_pages_its_own(self, cars: CarCRUD) -> None:
        rows, total = await cars.page(PageOf(page_size=1))
        assert (len(rows), total) == (1, 2)

    async def test_projects_and_follows_cursors_of_its_own(self, cars: CarCRUD) -> None:
        first, cursor = await cars.project(Named).cursor(PartOf(limit=1))
        second, end = await cars.project(Named).cursor(PartOf(cursor or "", limit=1))
        assert ({row.name for row in [*first, *second]}, end) == ({"car", "convertible"}, None)

    async def test_updates_only_its_own(self, cars: CarCRUD, vehicles: VehicleCRUD) -> None:
        assert await cars.update_many({}, {"name": "changed"}) == 2
        assert await names(vehicles) == ["bike", "changed", "changed", "vehicle"]

    async def test_deletes_only_its_own(self, cars: CarCRUD, vehicles: VehicleCRUD) -> None:
        assert await cars.delete_many({}) == 2
        assert await names(vehicles) == ["bike", "vehicle"]

    async def test_hides_and_restores_only_its_own(self, resources: Resources, vehicles: VehicleCRUD) -> None:
        bikes = BikeCRUD(resources.documents)
        bike = (await bikes.list())[0]
        assert await bikes.delete_many({}) == 1
        assert (await names(bikes), len(await vehicles.list())) == ([], 4)
        await bikes.restore(bike.id)
        assert await names(bikes) == ["bike"]

    async def test_finds_no_others(self, cars: CarCRUD, vehicles: VehicleCRUD) -> None:
        vehicle = next(row for row in await vehicles.list() if row.name == "vehicle")
        assert (await cars.find(vehicle.id), await cars.exists({"name": "vehicle"})) == (None, False)

    async def test_cannot_change_others(self, cars: CarCRUD, vehicles: VehicleCRUD) -> None:
        vehicle: Any = next(row for row in await vehicles.list() if row.name == "vehicle")
        with pytest.raises(NotFoundError):
            await cars.update(vehicle, {"name": "stolen"})

    async def test_upserts_among_its_own(self, cars: CarCRUD, vehicles: VehicleCRUD) -> None:
        added = await cars.upsert({"name": "vehicle", "doors": 3}, by=["name"])
        changed = await cars.upsert({"name": "vehicle", "doors": 2}, by=["name"])
        assert (added.id, changed.doors, await vehicles.count({"name": "vehicle"})) == (changed.id, 2, 2)

    async def test_creates_many_of_its_own(self, cars: CarCRUD) -> None:
        await cars.create_many([{"name": "a"}, {"name": "b"}])
        assert await names(cars) == ["a", "b", "car", "convertible"]


class TestAParent:
    """`VehicleCRUD` sees all vehicles, as instances of their own classes."""

    async def test_finds_its_children(self, vehicles: VehicleCRUD, resources: Resources) -> None:
        car = (await CarCRUD(resources.documents).list())[0]
        assert isinstance(await vehicles.find(car.id), Car)

    async def test_lists_its_children(self, vehicles: VehicleCRUD) -> None:
        assert {type(row) for row in await vehicles.list()} == {Vehicle, Car, Convertible, Bike}

    async def test_changes_a_child_as_what_it_is(self, vehicles: VehicleCRUD) -> None:
        car = next(row for row in await vehicles.list() if type(row) is Convertible)
        changed = await vehicles.update(car, {"wheels": 3})
        assert (type(changed), changed.wheels, await vehicles.count({"wheels": 3})) == (Convertible, 3, 1)


class Address(Schema):
    zip_code: str = Field(alias="zip")

    model_config = {"populate_by_name": True}


class Owner(BaseDocument):
    name: str

    class Settings:
        name = "test_owners"


class Price(Schema):
    amount: Decimal


class House(BaseDocument):
    title: str = Field(alias="t")
    owner: Link[Owner] | None = None
    visitors: list[Link[Owner]] = Field(default_factory=list)
    price: Decimal = Decimal(0)
    tags: set[str] = Field(default_factory=set)
    address: Address | None = None
    prices: dict[str, Price] = Field(default_factory=dict)
    built: date | None = None
    slug: str = ""
    writes: int = 0
    told: ClassVar[list[str]] = []

    class Settings:
        name = "test_houses"
        use_revision = True
        bson_encoders: ClassVar[dict[Any, Any]] = {set: sorted}
        indexes: ClassVar[list[IndexModel]] = [IndexModel("t", unique=True)]

    @before_event(Insert, Replace, Save, Update)
    def _make_slug(self) -> None:
        self.slug = self.title.lower()
        self.writes += 1

    @after_event(Insert, Update)
    def _tell(self) -> None:
        self.told.append(self.title)


class OwnerCRUD(BaseBeanieCRUD[Owner]):
    model: ClassVar[type[Owner]] = Owner


class HouseCRUD(BaseBeanieCRUD[House]):
    model: ClassVar[type[House]] = House


@pytest.fixture
async def houses(resources: Resources) -> AsyncIterator[HouseCRUD]:
    await resources.documents.create_indexes(House)
    House.told.clear()
    yield HouseCRUD(resources.documents)
    await resources.mongo["test_houses"].drop()
    await resources.mongo["test_owners"].drop()


@pytest.fixture
async def owner(houses: HouseCRUD) -> Owner:
    return await OwnerCRUD(houses.documents).create({"name": "owner"})


WRITES = ["create", "create_many", "update", "update_many", "upsert new", "upsert"]


async def write(houses: HouseCRUD, verb: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Store a house with these fields by a verb, and return it as MongoDB has it."""
    fields = {"title": "Before", **fields}
    if verb in ("update", "update_many", "upsert"):
        await houses.create({"title": fields["title"]})
    match verb:
        case "create":
            await houses.create(fields)
        case "create_many":
            await houses.create_many([fields])
        case "update":
            await houses.update((await houses.list())[0], fields)
        case "update_many":
            await houses.update_many({"title": fields["title"]}, fields)
        case _:
            await houses.upsert(fields, by=["title"])
    stored: Any = await House.get_pymongo_collection().find_one({})
    found: dict[str, Any] = stored
    return found


@pytest.mark.parametrize("verb", WRITES)
class TestEveryWrite:
    async def test_stores_aliases(self, houses: HouseCRUD, verb: str) -> None:
        stored = await write(houses, verb, {"title": "A", "address": {"zip_code": "1"}})
        assert (stored["t"], "title" in stored, stored["address"]) == ("A", False, {"zip": "1"})

    async def test_stores_links_as_references(self, houses: HouseCRUD, owner: Owner, verb: str) -> None:
        stored = await write(houses, verb, {"owner": owner, "visitors": [owner, owner.id]})
        assert (stored["owner"].id, [ref.id for ref in stored["visitors"]]) == (owner.id, [owner.id, owner.id])

    async def test_uses_the_encoders_of_the_class(self, houses: HouseCRUD, verb: str) -> None:
        assert (await write(houses, verb, {"tags": {"b", "a"}}))["tags"] == ["a", "b"]

    async def test_stores_what_can_be_read_again(self, houses: HouseCRUD, verb: str) -> None:
        fields = {"price": Decimal("1.10"), "prices": {"a": Price(amount=Decimal("2.20"))}, "built": date(2026, 1, 1)}
        await write(houses, verb, fields)
        house = (await houses.list())[0]
        assert (house.price, house.prices["a"].amount, house.built) == (
            Decimal("1.10"),
            Decimal("2.20"),
            fields["built"],
        )
        assert [await houses.count({"price__gt": price}) for price in (Decimal("1.09"), Decimal("1.10"))] == [1, 0]

    async def test_gives_it_a_new_revision(self, houses: HouseCRUD, verb: str) -> None:
        assert isinstance((await write(houses, verb, {}))["revision_id"], UUID)


class TestHooks:
    @pytest.mark.parametrize("verb", [verb for verb in WRITES if verb != "update_many"])
    async def test_run_once_before_every_write_of_a_document(self, houses: HouseCRUD, verb: str) -> None:
        expected = 2 if verb in ("update", "upsert") else 1
        stored = await write(houses, verb, {"title": "LOUD"})
        assert (stored["slug"], stored["writes"], len(House.told)) == ("loud", expected, expected)

    async def test_see_the_change(self, houses: HouseCRUD) -> None:
        house = await houses.create({"title": "Old"})
        assert (await houses.update(house, {"title": "NEW"})).slug == "new"

    async def test_do_not_change_the_document_of_a_failed_write(self, houses: HouseCRUD) -> None:
        await houses.create({"title": "Taken"})
        house = await houses.create({"title": "Old"})
        with pytest.raises(ConflictError):
            await houses.update(house, {"title": "Taken"})
        assert (house.title, house.slug) == ("Old", "old")


class TestAnUpsert:
    async def test_by_many_at_once_stores_one_document(self, houses: HouseCRUD) -> None:
        fields = [{"title": "a", "price": Decimal(number)} for number in range(20)]
        rows = await asyncio.gather(*(houses.upsert(row, by=["title"]) for row in fields))
        assert ({row.id for row in rows}, await houses.count()) == ({rows[0].id}, 1)

    async def test_of_a_document_that_others_delete_meanwhile_inserts_it(
        self, houses: HouseCRUD, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old, find = await houses.create({"title": "a"}), houses._find_one

        async def find_and_delete(*args: Any, **options: Any) -> House | None:
            found = await find(*args, **options)
            await houses.delete_many({})
            return found

        monkeypatch.setattr(houses, "_find_one", find_and_delete)
        new = await houses.upsert({"title": "a"}, by=["title"])
        assert (new.id != old.id, await houses.count()) == (True, 1)

    async def test_by_a_default_finds_it(self, houses: HouseCRUD) -> None:
        rows = [await houses.upsert({"title": title}, by=["built"]) for title in "ab"]
        assert (rows[0].id, await houses.count()) == (rows[1].id, 1)

    async def test_that_violates_another_key_is_a_conflict(self, houses: HouseCRUD) -> None:
        await houses.create({"title": "taken"})
        with pytest.raises(ConflictError) as caught:
            await houses.upsert({"title": "taken", "built": date(2026, 1, 1)}, by=["built"])
        assert (caught.value.data[0]["field"], await houses.count()) == ("title", 1)


class TestARevision:
    async def test_that_is_stale_is_a_conflict(self, houses: HouseCRUD) -> None:
        house = await houses.create({"title": "a"})
        stale = await houses.get(house.id)
        await houses.update(house, {"title": "b"})
        with pytest.raises(ConflictError):
            await houses.update(stale, {"title": "c"})

    async def test_changes_for_many_documents_too(self, houses: HouseCRUD) -> None:
        house = await houses.create({"title": "a"})
        await houses.update_many({}, {"price": Decimal(2)})
        with pytest.raises(ConflictError):
            await houses.update(house, {"title": "c"})


class TestFilters:
    @pytest.mark.parametrize(
        ("where", "matches"),
        [
            ({"title__starts": "wi"}, 2),
            ({"address.zip_code": "10115"}, 1),
            ({"address.zip_code__in": ["1", None]}, 1),
            ({"address.zip_code__starts": "10"}, 1),
            ({"prices.winter.amount__gte": Decimal(7)}, 1),
            ({"owner__null": True}, 1),
            ({"tags": "garden"}, 1),
        ],
    )
    async def test_match_stored_fields(
        self, houses: HouseCRUD, owner: Owner, where: dict[str, Any], matches: int
    ) -> None:
        await houses.create({"title": "without"})
        prices = {"winter": {"amount": Decimal(7)}}
        address = {"zip_code": "10115"}
        tags = {"garden"}
        await houses.create({"title": "with", "address": address, "prices": prices, "owner": owner, "tags": tags})
        assert await houses.count(where) == matches

    async def test_compare_links_by_id(self, houses: HouseCRUD, owner: Owner) -> None:
        await houses.create({"title": "a", "owner": owner, "visitors": [owner]})
        lists: list[dict[str, Any]] = [
            {"owner": owner}, {"owner": owner.id}, {"owner.id": owner.id}, {"owner__in": [owner]}, {"visitors": owner},
            {"owner": uuid4()},
        ]  # fmt: skip
        assert [await houses.count(where) for where in lists] == [1, 1, 1, 1, 1, 0]

    @pytest.mark.parametrize("name", ["t", "address.none", "title.length", "address.zip_code.x", "owner.none"])
    async def test_of_unknown_fields_are_refused(self, houses: HouseCRUD, name: str) -> None:
        with pytest.raises(ValueError, match="no field"):
            await houses.count({name: 1})

    async def test_on_linked_documents_are_those_of_their_class(self, houses: HouseCRUD, owner: Owner) -> None:
        await houses.create({"title": "a", "owner": {"id": str(owner.id), "collection": "test_owners"}})
        await houses.create({"title": "b", "visitors": [owner]})
        lists: list[dict[str, Any]] = [{"owner.name": owner.name}, {"visitors.name": owner.name}, {"owner.name": ""}]
        assert [[row.title for row in await houses.list(where)] for where in lists] == [["a"], ["b"], []]
        assert await OwnerCRUD(houses.documents).count() == 1

    async def test_sort_and_project_aliased_fields(self, houses: HouseCRUD, owner: Owner) -> None:
        class Shown(Schema):
            title: str
            owner: UUID | None

        await houses.create({"title": "a"})
        await houses.create({"title": "b", "owner": owner})
        shown = await houses.project(Shown).list(order=("-title",))
        assert [(row.title, row.owner) for row in shown] == [("b", owner.id), ("a", None)]


class Sparse(BaseDocument):
    name: str
    note: str | None = None

    class Settings:
        name = "test_sparse"
        keep_nulls = False


class SparseCRUD(BaseBeanieCRUD[Sparse]):
    model: ClassVar[type[Sparse]] = Sparse


async def test_a_class_without_nulls_stores_none(resources: Resources) -> None:
    crud = SparseCRUD(resources.documents)
    row = await crud.create({"name": "a", "note": "b"})
    await crud.update(row, {"note": None})
    row = await crud.upsert({"name": "a", "note": None}, by=["name"])
    stored = await Sparse.get_pymongo_collection().find_one({})
    await Sparse.get_pymongo_collection().drop()
    assert (row.note, "note" in (stored or {})) == (None, False)


class Plain(Document):
    """A document without the fields of `BaseDocument`."""

    id: UUID = Field(default_factory=uuid4)  # type: ignore[assignment]  # how Beanie documents other key types
    name: str
    age: timedelta = timedelta()

    class Settings:
        name = "test_plain"


class PlainCRUD(BaseBeanieCRUD[Plain]):
    model: ClassVar[type[Plain]] = Plain


async def test_a_class_of_its_own_gets_no_further_fields(resources: Resources) -> None:
    crud = PlainCRUD(resources.documents)
    row = await crud.create({"name": "a"})
    await crud.update(row, {"age": timedelta(hours=1)})
    await crud.update_many({"age": timedelta(hours=1)}, {"name": "b"})
    stored = await Plain.get_pymongo_collection().find_one({})
    await Plain.get_pymongo_collection().drop()
    assert stored == {"_id": row.id, "name": "b", "age": 3600.0}
