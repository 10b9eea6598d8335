"""No list reads more than its rows: each filter, order and search is served by an index, at 100,000 rows a table."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.list_filters import COUNT_CAP, Where
from src.crud.api_key import ApiKeyCRUD
from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.crud.file import FileCRUD
from src.crud.notice import NoticeCRUD
from src.crud.role import RoleCRUD
from src.crud.schedule import ScheduleCRUD
from src.crud.task_run import TaskRunCRUD
from src.crud.user import UserCRUD
from src.schemas.api_key import ApiKeyQuery
from src.schemas.file import FileQuery
from src.schemas.list_params import CursorQuery, ListQuery, PageQuery, SortBy
from src.schemas.role import RoleQuery
from src.schemas.schedule import ScheduleQuery
from src.schemas.task import RunQuery
from src.schemas.user import UserQuery
from tests.support.scratch import Scratch, scratch_database

pytestmark = pytest.mark.process

ROWS = 100_000
# What an index may read beside the 20 rows of a page: a page of matches, found by trigrams or sorted.
ENOUGH = 300
START = datetime(2020, 1, 1, tzinfo=UTC)
LATE, EARLY = START + timedelta(minutes=ROWS - 10), START + timedelta(minutes=10)
RARE = UUID(int=7)
OWNER = {"owner_id": RARE}

# Row `i` of 100,000 was created in minute `i`; every 10,000th has rare values.
TIMES = "'2020-01-01Z'::timestamptz + i * interval '1 minute'"
VALUES: Mapping[str, Mapping[str, str]] = {
    "users": {
        "name": "reverse(i::text)", "email": "reverse(i::text) || '@example.com'", "username": "'user' || i",
        "username_key": "'user' || i", "password_hash": "''", "status": "rare IS NULL", "is_admin": "rare IS NOT NULL",
        "must_change_password": "false", "is_service_account": "rare IS NOT NULL",
    },
    "api_keys": {
        "user_id": "coalesce(rare, gen_random_uuid())", "name": "''", "start": "''", "key_hash": "i::text",
        "codes": "'{}'", "addresses": "'{}'", "version": "1",
    },
    "files": {
        "owner_id": "coalesce(rare, gen_random_uuid())", "filename": "reverse(i::text)", "content_type": "'text/plain'",
        "size_bytes": "i * 7919 % 100003", "status": "'ready'", "upload_id": "''", "part_count": "1",
        "expires_at": TIMES, "leased_until": TIMES,
    },
    "roles": {
        "name": "reverse(i::text)", "description": "''", "code": "'code' || i", "status": "rare IS NULL",
        "interface_permissions": "'{}'", "button_permissions": "'{}'", "router_permissions": "'{}'", "version": "1",
    },
    "schedules": {
        "name": "reverse(i::text)", "description": "''", "enabled": "rare IS NULL", "args": "'[]'", "kwargs": "'{}'",
        "task": "CASE WHEN rare IS NULL THEN 'common' ELSE 'rare' END", "headers": "'{}'", "every": "1",
        "origin": "CASE WHEN rare IS NULL THEN 'user' ELSE 'config' END", "crontab": "'* * * * *'",
        "kind": "CASE WHEN rare IS NULL THEN 'interval' ELSE 'crontab' END", "period": "'days'", "timezone": "'UTC'",
        "jitter_seconds": "0", "misfire_policy": "'skip'", "overlap_policy": "'skip'", "total_run_count": "0",
        "next_run_at": f"CASE WHEN i % 3 > 0 THEN {TIMES} END", "last_run_at": f"CASE WHEN i % 3 > 0 THEN {TIMES} END",
    },
    "task_runs": {
        "name": "CASE WHEN rare IS NULL THEN 'common' ELSE 'rare' END", "args": "'[]'", "kwargs": "'{}'",
        "state": "CASE WHEN rare IS NULL THEN 'SUCCESS' ELSE 'FAILURE' END", "is_complete": "true", "attempts": "1",
        "queued_at": TIMES, "schedule_id": "rare", "requested_by": "rare",
    },
    "notices": {
        "title": "''", "body": "''", "status": "CASE WHEN rare IS NULL THEN 'expired' ELSE 'published' END",
        "expires_at": TIMES, "version": "1",
    },
}  # fmt: skip

# Each list with a value for each of its filters, which few rows have, and what the service adds for a caller.
LISTS: list[tuple[type[BaseSQLModelCRUD[Any]], type[ListQuery], dict[str, Any], Where]] = [
    (
        UserCRUD, UserQuery,
        {
            "status": False, "is_admin": True, "is_service_account": True,
            "create_time__gte": LATE, "create_time__lt": EARLY,
        }, {},
    ),
    (ApiKeyCRUD, ApiKeyQuery, {"user_id": RARE}, {}),
    (ApiKeyCRUD, ApiKeyQuery, {"user_id": RARE}, {"user_id": RARE}),
    (FileCRUD, FileQuery, {}, {"status": "ready"}),
    (FileCRUD, FileQuery, {}, {"status": "ready", **OWNER}),
    (RoleCRUD, RoleQuery, {"status": False}, {}),
    (ScheduleCRUD, ScheduleQuery, {"task": "rare", "kind": "crontab", "enabled": False, "origin": "config"}, {}),
    (
        TaskRunCRUD, RunQuery,
        {
            "name": "rare", "state": "FAILURE", "schedule_id": RARE, "requested_by": RARE,
            "queued_at__gte": LATE, "queued_at__lt": EARLY,
        }, {},
    ),
]  # fmt: skip


def sort_keys(query: type[ListQuery]) -> Iterator[str]:
    declared = (item.names for item in query.model_fields["sort"].metadata if isinstance(item, SortBy))
    return chain.from_iterable(declared)


def requests() -> Iterator[Any]:
    """Each filter, each order in both directions, and a search that finds nothing, of each list."""
    for crud, query, filters, where in LISTS:
        searches = [{"keyword": "nowhere"}] if "keyword" in query.model_fields else []
        orders = [{"sort": direction + key} for key in sort_keys(query) for direction in ("", "-")]
        for request in [{}, *orders, *searches, *({name: value} for name, value in filters.items())]:
            limits = "+".join([crud.__name__, *where, *(f"{name}={value}" for name, value in request.items())])
            yield pytest.param(crud, query, request, where, id=limits)


def fill(table: str) -> str:
    values = {"id": "lpad(to_hex(i), 32, '0')::uuid", "create_time": TIMES, "update_time": TIMES, **VALUES[table]}
    rare = f"CASE WHEN i % 10000 = 0 THEN '{RARE}'::uuid END AS rare"
    rows = f"SELECT i, {rare} FROM generate_series(1, {ROWS}) i"  # noqa: S608 - ours
    # As a replica, which checks no foreign keys: the owners of files do not exist.
    columns, expressions = ", ".join(values), ", ".join(values.values())
    inserted = f"INSERT INTO {table} ({columns}) SELECT {expressions} FROM ({rows}) rows"  # noqa: S608 - ours
    return f"SET LOCAL session_replication_role = replica; {inserted}"


# Indexes are built faster once the rows are there.
INDEXES = """
SELECT indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = '{}'::regclass
AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""


@pytest.fixture(scope="module")
def filled() -> Iterator[Scratch]:
    with scratch_database(migrated=True) as database:
        for table in VALUES:
            indexes = database.rows(INDEXES.format(table))
            dropped, created = (
                "".join(f"DROP INDEX {name};" for name, _ in indexes),
                ";".join(sql for _, sql in indexes),
            )
            database.rows(f"DO $$ BEGIN {dropped} {fill(table)}; {created}; END $$")
        database.rows("VACUUM ANALYZE")
        yield database


class Reader:
    """Runs a query, then has its statements explained."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.session = AsyncSession(connection)
        self._connection = connection
        self._statements: list[tuple[str, Any]] = []
        event.listen(connection.sync_connection, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            self._statements.append((statement, parameters))

    async def rows_read(self) -> dict[str, tuple[float, str]]:
        """How many rows each statement read, and its plan."""
        read: dict[str, tuple[float, str]] = {}
        for statement, parameters in list(self._statements):
            explained = f"EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) {statement}"
            plan = (await self._connection.exec_driver_sql(explained, parameters)).scalar_one()
            plan = json.loads(plan) if isinstance(plan, str) else plan
            read[statement] = sum(map(_read_by, _nodes(plan[0]["Plan"]))), json.dumps(plan, indent=1)
        return read


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _read_by(node: dict[str, Any]) -> float:
    """The rows that a node takes from its table or index, whether they match or not."""
    if "Scan" not in node["Node Type"]:
        return 0
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return float((node["Actual Rows"] + removed) * node["Actual Loops"])


@pytest.fixture
async def reader(filled: Scratch) -> Any:
    engine = create_async_engine(filled.url, poolclass=NullPool)
    async with engine.connect() as connection:
        yield Reader(connection)


@pytest.mark.parametrize(("crud", "query", "asked", "where"), [*requests()])
async def test_a_list_reads_its_rows(
    reader: Reader, crud: type[BaseSQLModelCRUD[Any]], query: type[Any], asked: dict[str, Any], where: Where
) -> None:
    list_query = query(**asked)
    rows = crud(reader.session)
    await (rows.page(list_query, where) if isinstance(list_query, PageQuery) else rows.cursor(list_query, where))
    for statement, (read, plan) in (await reader.rows_read()).items():
        assert read <= (COUNT_CAP + 1 if "count(" in statement else ENOUGH), f"{statement}\n{plan}"


async def test_the_newest_notices_are_read_alone(reader: Reader) -> None:
    assert len(await NoticeCRUD(reader.session).newest(100)) == 10
    ((read, plan),) = (await reader.rows_read()).values()
    assert read <= ENOUGH, plan


@pytest.mark.parametrize(("crud", "query", "filters", "where"), LISTS)
def test_every_declared_filter_is_tried(
    crud: type[Any], query: type[ListQuery], filters: dict[str, Any], where: Where
) -> None:
    others = {*PageQuery.model_fields, *CursorQuery.model_fields, "keyword"}
    assert set(query.model_fields) - others == set(filters), (crud, where)
