"""What needs no HTTP: pages at any depth, counts, and many rows at once, on 1,000,000 rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel.ext.asyncio.session import AsyncSession

from scripts.bench.items import ItemCRUD, table
from scripts.bench.turns import Cost, take_turns
from src.core.list_filters import QuerySpec, Total, unique_order
from src.crud.query.cursor import seal
from src.utils.date import utc_now
from src.utils.uuid7 import uuid7

LARGE = 1_000_000
DEPTHS = (25_000, 50_000)
PAGE = 20
BULK = 10_000
ORDERS = [(), ("-create_time",), ("number", "-create_time")]


@dataclass
class Part:
    """A request for some rows after a cursor."""

    cursor: str = ""
    limit: int = PAGE
    requested: QuerySpec = field(default_factory=QuerySpec)

    def spec(self) -> QuerySpec:
        """Which rows."""
        return self.requested


@dataclass
class Numbered:
    """A request for a page by its number."""

    page: int = 1
    page_size: int = PAGE
    total: Total = Total.NONE
    requested: QuerySpec = field(default_factory=QuerySpec)

    def spec(self) -> QuerySpec:
        """Which rows."""
        return self.requested


async def measure_pages(engine: AsyncEngine, rounds: int) -> None:
    """Keyset at depth 50,000 against page 1, and by offset for comparison."""
    async with AsyncSession(engine, expire_on_commit=False) as session:
        items = ItemCRUD(session)
        for order in ORDERS:
            requested = QuerySpec(order=order)
            name = ",".join(order) or "id"
            middle, last = [await _cursor_at(items, requested, depth * PAGE - PAGE - 1) for depth in DEPTHS]
            first, half, deep, offset = await take_turns(
                rounds * 5,
                partial(items.cursor, Part(requested=requested)),
                partial(items.cursor, Part(middle, requested=requested)),
                partial(items.cursor, Part(last, requested=requested)),
                partial(items.page, Numbered(DEPTHS[-1], requested=requested)),
            )
            for depth, cost in zip(DEPTHS, (half, deep), strict=True):
                _show(f"keyset, page {depth:,} / page 1, by {name}", cost, first, "at most 2.00")
            _show(f"offset, page {DEPTHS[-1]:,} / keyset, by {name}", offset, deep, "")


async def _cursor_at(items: ItemCRUD, requested: QuerySpec, row: int) -> str:
    """The cursor that a reader has after this row, counted from 0."""
    (last,) = (await items.page(Numbered(row + 1, 1, requested=requested)))[0]
    return seal([getattr(last, key.name) for key in unique_order(requested.order)], items.cursor_scope(requested))


async def measure_counts(engine: AsyncEngine, rounds: int) -> None:
    """What a total costs beside the page alone."""
    async with AsyncSession(engine, expire_on_commit=False) as session:
        items = ItemCRUD(session)
        none, capped, exact = await take_turns(
            rounds, *(partial(items.page, Numbered(total=total)) for total in (Total.NONE, Total.CAPPED, Total.EXACT))
        )
        _show("page and capped total / page alone", capped, none, "")
        _show("page and exact total / page alone", exact, none, "")


async def measure_bulk(engine: AsyncEngine, rounds: int) -> None:
    """`create_many` of 10,000 rows against COPY by hand."""
    rows = [{"name": f"item {number}", "status": "open", "number": number} for number in range(BULK)]

    async def ours() -> None:
        async with AsyncSession(engine) as session:
            await ItemCRUD(session).create_many(rows)
            await session.rollback()

    async def by_hand() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
            await _copy(connection, rows)
            await connection.rollback()

    create_many, copy = await take_turns(rounds * 3, ours, by_hand)
    _show(f"COPY by hand / create_many, {BULK:,} rows", copy, create_many, "at least 0.65")


async def _copy(connection: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    now = utc_now()
    records = [(uuid7(), now, now, row["name"], row["status"], row["number"]) for row in rows]
    driver = (await connection.get_raw_connection()).driver_connection
    columns = ["id", "create_time", "update_time", "name", "status", "number"]
    await driver.copy_records_to_table(table.name, columns=columns, records=records)


def _show(name: str, numerator: Cost, denominator: Cost, target: str) -> None:
    print(
        f"{name:56} {numerator.wall * 1e3:9.2f} / {denominator.wall * 1e3:8.2f} ms"
        f"  wall {numerator.wall / denominator.wall:6.2f}  cpu {numerator.cpu / denominator.cpu:6.2f}  {target}",
        flush=True,
    )
