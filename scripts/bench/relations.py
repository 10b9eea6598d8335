"""A list of rows, each with one that it refers to and with a list of others, against the same by hand."""

from collections import defaultdict
from typing import Any, ClassVar
from uuid import UUID

from pydantic import BaseModel as Schema
from pydantic import TypeAdapter
from sqlalchemy import ARRAY, ForeignKey, Table, Text, Uuid, any_, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import Field, Relationship
from sqlmodel.ext.asyncio.session import AsyncSession

from scripts.bench.turns import take_turns
from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.base import BaseModel

BOXES = 100_000
PAGE = 20


class Owner(BaseModel, table=True):
    """Whom boxes belong to."""

    __tablename__ = "bench_owners"

    name: str = Field(sa_type=Text)


class Box(BaseModel, table=True):
    """One of many."""

    __tablename__ = "bench_boxes"

    name: str = Field(sa_type=Text)
    owner_id: UUID = Field(sa_column_args=[ForeignKey("bench_owners.id")])

    owner: Owner = Relationship()
    parts: list["Part"] = Relationship()


class Part(BaseModel, table=True):
    """What is in a box."""

    __tablename__ = "bench_parts"

    name: str = Field(sa_type=Text)
    number: int
    box_id: UUID = Field(index=True, sa_column_args=[ForeignKey("bench_boxes.id")])


class BoxCRUD(BaseSQLModelCRUD[Box]):
    """Boxes."""

    model: ClassVar[type[Box]] = Box


class OwnerShown(Schema):
    """An owner on the wire."""

    id: UUID
    name: str


class PartShown(Schema):
    """A part on the wire."""

    id: UUID
    name: str
    number: int


class BoxShown(Schema):
    """A box on the wire."""

    id: UUID
    name: str
    owner: OwnerShown
    parts: list[PartShown]


TABLES: list[Table] = [Owner.metadata.tables[f"bench_{name}"] for name in ("owners", "boxes", "parts")]
owners, boxes, parts = TABLES
SHOWN = TypeAdapter(list[BoxShown])

FILL = """
INSERT INTO bench_owners (id, create_time, update_time, name)
SELECT gen_random_uuid(), now(), now(), 'owner ' || n FROM generate_series(1, :rows / 100) AS n;
INSERT INTO bench_boxes (id, create_time, update_time, name, owner_id)
SELECT gen_random_uuid(), now(), now(), 'box ' || row_number() OVER (), id
FROM bench_owners, generate_series(1, 100);
INSERT INTO bench_parts (id, create_time, update_time, name, number, box_id)
SELECT gen_random_uuid(), now(), now(), 'part ' || n, n, id FROM bench_boxes, generate_series(1, 5) AS n
"""

# By hand: prepared once, with the driver's own arrays.
_PAGE = (
    select(boxes.c.id, boxes.c.name, owners.c.id.label("owner_id"), owners.c.name.label("owner_name"))
    .join_from(boxes, owners)
    .where(boxes.c.name.startswith(bindparam("name")))
    .order_by(boxes.c.id)
    .limit(PAGE)
)
_PARTS = (
    select(parts.c.box_id, parts.c.id, parts.c.name, parts.c.number)
    .where(parts.c.box_id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    .order_by(parts.c.id)
)


async def fill(engine: AsyncEngine) -> None:
    """Make the tables anew."""
    async with engine.begin() as connection:
        for table in reversed(TABLES):
            await connection.run_sync(_drop, table)
        for table in TABLES:
            await connection.run_sync(table.create)
        for statement in FILL.split(";"):
            await connection.execute(text(statement), {"rows": BOXES} if ":rows" in statement else {})
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text("VACUUM ANALYZE bench_owners, bench_boxes, bench_parts"))


def _drop(connection: Any, table: Table) -> None:
    table.drop(connection, checkfirst=True)


async def measure_relations(engine: AsyncEngine, rounds: int) -> None:
    """20 of 100,000 rows, with a reference and a list, as schemas; and as instances of the model."""
    reading = engine.execution_options(isolation_level="AUTOCOMMIT")

    async def ours() -> None:
        async with AsyncSession(reading) as session:
            await BoxCRUD(session).project(BoxShown).list({"name__starts": "box 1"}, limit=PAGE)

    async def instances() -> None:
        async with AsyncSession(reading) as session:
            await BoxCRUD(session).list({"name__starts": "box 1"}, limit=PAGE, include=("owner", "parts"))

    async def by_hand() -> None:
        async with reading.connect() as connection:
            page = (await connection.execute(_PAGE, {"name": "box 1"})).all()
            of_box = defaultdict(list)
            for row in await connection.execute(_PARTS, {"ids": [row.id for row in page]}):
                of_box[row.box_id].append({"id": row.id, "name": row.name, "number": row.number})
        SHOWN.validate_python(
            [
                {
                    "id": row.id,
                    "name": row.name,
                    "owner": {"id": row.owner_id, "name": row.owner_name},
                    "parts": of_box[row.id],
                }
                for row in page
            ]
        )

    shown, loaded, hand = await take_turns(rounds * 100, ours, instances, by_hand)
    for name, cost in (("schemas", shown), ("instances", loaded)):
        wall, cpu = hand.wall / cost.wall, hand.cpu / cost.cpu
        print(
            f"{f'list with two relations by hand / as {name}':56} {hand.wall * 1e3:9.2f} / {cost.wall * 1e3:8.2f} ms"
            f"  wall {wall:6.2f}  cpu {cpu:6.2f}  {'at least 0.80' if name == 'schemas' else ''}",
            flush=True,
        )
