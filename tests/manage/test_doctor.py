"""`manage.sh doctor`: all is well, and one fault after the other, each named in its line."""

import asyncio
import json
import shutil
import ssl
from collections import namedtuple
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from copy import copy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr
from sqlalchemy import text

from scripts.local.ports import LOOPBACK
from scripts.local.smtp import MailCatcher
from src.core.config import settings
from src.core.config.identity.oidc import OidcProviderSettings
from src.core.resources import Resources
from src.core.storage.minio_storage import MinioStorage
from src.core.stores.cache import Cache
from src.core.stores.documents import Documents, create_mongo
from src.core.stores.redis_client import create_redis
from src.core.stores.sql import SQLDatabase
from src.manage.doctor import stores
from src.manage.doctor.check import Examination, Worker, run_checks
from src.manage.doctor.command import all_checks
from src.manage.doctor.finding import Finding
from src.manage.doctor.processes import check_schedules
from src.manage.doctor.reachable import check_cors, encrypted_servers
from src.manage.doctor.settings import check_keys
from src.models import DOCUMENTS
from src.models.audit import AuditLog
from src.models.document_migrations import DOCUMENT_MIGRATIONS
from src.models.outbox import OutboxMessage
from src.models.schedule import IntervalPeriod, Schedule, ScheduleKind
from src.queues import load_app
from src.queues.broker.urls import parse_broker
from src.queues.celery import Celery
from src.services.audit import AuditService
from src.utils.date import utc_now
from tests.core.conftest import pem
from tests.manage.conftest import Manage
from tests.queues.broker.test_urls import create_certificate
from tests.support.openid import openid_provider
from tests.support.proxy import proxied
from tests.support.scratch import scratch_database
from tests.support.stores import ROOT

WORKERS = {"worker@here": Worker(frozenset({"celery"}), 1)}


@pytest.fixture
async def healthy(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Resources]:
    """The stores as after a deployment, an API that runs, a worker and a beat that seem to."""

    async def workers(_app: object) -> dict[str, Worker]:
        return WORKERS

    monkeypatch.setattr("src.manage.doctor.processes.find_workers", workers)
    await resources.documents.create_indexes(*DOCUMENTS)
    await AuditService(resources).set_retention()
    async with resources.engine.begin() as connection:  # what other tests left
        await connection.execute(text("DELETE FROM outbox"))
        await connection.execute(text("DELETE FROM schedules"))
    async with stored(resources, schedule(last_run_at=utc_now())):
        yield resources


def schedule(**columns: Any) -> Schedule:
    defaults: dict[str, Any] = {"name": str(uuid4()), "task": "outbox.relay", "kind": ScheduleKind.INTERVAL, "every": 1}
    defaults |= {"period": IntervalPeriod.HOURS, "next_run_at": utc_now() + timedelta(hours=1)}
    return Schedule(**defaults | columns)


@asynccontextmanager
async def stored(resources: Resources, row: Any) -> AsyncIterator[None]:
    async with resources.unit_of_work() as uow:
        uow.session.add(row)
    yield
    async with resources.unit_of_work() as uow:
        await uow.session.delete(await uow.session.get_one(type(row), row.id))


async def examine(resources: Resources) -> dict[str, Finding]:
    findings = await run_checks(all_checks(), Examination(resources))
    return {finding.check: finding for finding in findings}


# Each yields resources in which one thing is wrong.
Fault = Callable[[Resources], Any]


def elsewhere(resources: Resources, store: str, **changes: Any) -> Resources:
    changed = copy(resources.settings)
    setattr(changed, store, getattr(settings, store).model_copy(update=changes))
    return replace(resources, settings=changed)


@asynccontextmanager
async def postgresql(resources: Resources, **parts: Any) -> AsyncIterator[Resources]:
    url = resources.engine.url.set(**parts)
    shown = SecretStr(url.render_as_string(hide_password=False))
    changed = elsewhere(resources, "sql", database_url=shown, connect_timeout_seconds=0.5)
    database = SQLDatabase(changed.settings.sql, url)
    yield replace(changed, engine=database.engine, sessions=database.sessions, read_sessions=database.sessions)
    await database.engine.dispose()


@asynccontextmanager
async def redis(resources: Resources, port: int) -> AsyncIterator[Resources]:
    url = SecretStr(f"redis://127.0.0.1:{port}/0")
    changed = elsewhere(resources, "redis", database_url=url, timeout_seconds=0.2)
    async with create_redis(changed.settings.redis) as client:
        yield replace(changed, redis=client, cache=Cache(client))


@asynccontextmanager
async def mongodb(resources: Resources, port: int) -> AsyncIterator[Resources]:
    url = SecretStr(f"mongodb://127.0.0.1:{port}/app")
    changed = elsewhere(resources, "mongo", database_url=url, timeout_seconds=0.2)
    client = create_mongo(changed.settings.mongo)
    yield replace(changed, mongo=client["app"], documents=Documents(client["app"]))
    await client.close()


@asynccontextmanager
async def s3(resources: Resources, **changes: Any) -> AsyncIterator[Resources]:
    changed = elsewhere(resources, "s3", **changes)
    storage = MinioStorage(changed.settings.s3)
    yield replace(changed, storage=storage)
    storage.close()


@asynccontextmanager
async def hanging_port() -> AsyncIterator[int]:
    """Of a server that accepts connections and never responds."""
    async with proxied("tcp://127.0.0.1:1") as (_, proxy):
        proxy.hang()
        yield proxy.port


def no_postgresql(resources: Resources) -> AbstractAsyncContextManager[Resources]:
    return postgresql(resources, port=1)


@asynccontextmanager
async def no_replica(resources: Resources) -> AsyncIterator[Resources]:
    changed = elsewhere(resources, "sql", replica_url=SecretStr("postgresql://127.0.0.1:1/app"))
    async with no_postgresql(resources) as unreachable:
        yield replace(changed, read_sessions=unreachable.sessions)


@asynccontextmanager
async def no_named_database(resources: Resources) -> AsyncIterator[Resources]:
    database = SQLDatabase(resources.settings.sql, resources.engine.url.set(port=1))
    yield replace(resources, databases={"reports": database})
    await database.engine.dispose()


@asynccontextmanager
async def unmigrated_named_database(resources: Resources) -> AsyncIterator[Resources]:
    """One with a model, at a revision that is not the newest."""
    database = SQLDatabase(resources.settings.sql, resources.engine.url)
    with TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        ini = f"[reports]\nscript_location = {ROOT}/alembic\npath_separator = os\nversion_locations = {directory}\n"
        (Path(directory) / "a1_add_sales.py").write_text('revision, down_revision = "a1", None')
        (Path(directory) / "alembic.ini").write_text(ini)
        patch.setenv("ALEMBIC_CONFIG", f"{directory}/alembic.ini")
        patch.setattr("src.manage.doctor.contents.named_databases", lambda _: {"reports": ["sales"]})
        yield replace(resources, databases={"reports": database})
    await database.engine.dispose()


@asynccontextmanager
async def hanging_postgresql(resources: Resources) -> AsyncIterator[Resources]:
    async with hanging_port() as port, postgresql(resources, host="127.0.0.1", port=port) as changed:
        yield changed


@asynccontextmanager
async def read_only_postgresql(resources: Resources) -> AsyncIterator[Resources]:
    async with role(resources, "IN ROLE pg_write_all_data, pg_read_all_data") as name:
        async with resources.engine.begin() as connection:
            await connection.execute(text(f"ALTER ROLE {name} SET default_transaction_read_only = on"))
        async with postgresql(resources, username=name, password="any") as changed:
            yield changed


@asynccontextmanager
async def role_that_may_only_read(resources: Resources) -> AsyncIterator[Resources]:
    async with (
        role(resources, "IN ROLE pg_read_all_data") as name,
        postgresql(resources, username=name, password="any") as changed,
    ):
        yield changed


@asynccontextmanager
async def role(resources: Resources, options: str) -> AsyncIterator[str]:
    name = f"test_{uuid4().hex}"
    async with resources.engine.begin() as connection:
        await connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD 'any' {options}"))
    yield name
    async with resources.engine.begin() as connection:
        await connection.execute(text(f"DROP ROLE {name}"))


@asynccontextmanager
async def no_schema(resources: Resources) -> AsyncIterator[Resources]:
    database = scratch_database()
    scratch = await asyncio.to_thread(database.__enter__)
    async with postgresql(resources, database=scratch.url.database) as changed:
        yield changed
    await asyncio.to_thread(database.__exit__, None, None, None)


def no_redis(resources: Resources) -> AbstractAsyncContextManager[Resources]:
    return redis(resources, 1)


@asynccontextmanager
async def hanging_redis(resources: Resources) -> AsyncIterator[Resources]:
    async with hanging_port() as port, redis(resources, port) as changed:
        yield changed


@asynccontextmanager
async def evicting_redis(resources: Resources) -> AsyncIterator[Resources]:
    await resources.redis.config_set("maxmemory", "1gb")
    await resources.redis.config_set("maxmemory-policy", "allkeys-lru")
    yield resources
    await resources.redis.config_set("maxmemory-policy", "noeviction")
    await resources.redis.config_set("maxmemory", "0")


@asynccontextmanager
async def old_redis(resources: Resources) -> AsyncIterator[Resources]:
    async def info(_client: object) -> dict[str, Any]:
        return {"redis_version": "6.2.14"}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(resources.redis), "info", info)
        yield resources


@asynccontextmanager
async def no_results(resources: Resources) -> AsyncIterator[Resources]:
    yield elsewhere(resources, "celery", redis_url="redis://127.0.0.1:1/1")


def no_mongodb(resources: Resources) -> AbstractAsyncContextManager[Resources]:
    return mongodb(resources, 1)


@asynccontextmanager
async def hanging_mongodb(resources: Resources) -> AsyncIterator[Resources]:
    async with hanging_port() as port, mongodb(resources, port) as changed:
        yield changed


def no_s3(resources: Resources) -> AbstractAsyncContextManager[Resources]:
    return s3(resources, endpoint_setting="http://127.0.0.1:1")


@asynccontextmanager
async def hanging_s3(resources: Resources) -> AsyncIterator[Resources]:
    async with (
        hanging_port() as port,
        s3(resources, endpoint_setting=f"http://127.0.0.1:{port}", timeout_seconds=0.2) as changed,
    ):
        yield changed


def wrong_s3_keys(resources: Resources) -> AbstractAsyncContextManager[Resources]:
    return s3(resources, access_key="nobody", secret_key=SecretStr("wrong"))


def no_bucket(resources: Resources) -> AbstractAsyncContextManager[Resources]:
    return s3(resources, bucket="nowhere-at-all")


@asynccontextmanager
async def no_index(resources: Resources) -> AsyncIterator[Resources]:
    await AuditLog.get_pymongo_collection().drop_index("retention")
    yield resources


@asynccontextmanager
async def unmigrated_documents(resources: Resources) -> AsyncIterator[Resources]:
    with pytest.MonkeyPatch.context() as patch:
        migration = type("Migration", (), {"name": "rename_fields"})
        patch.setattr("src.manage.doctor.contents.DOCUMENT_MIGRATIONS", (*DOCUMENT_MIGRATIONS, migration))
        yield resources


@asynccontextmanager
async def wrong_clock(resources: Resources) -> AsyncIterator[Resources]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stores, "utc_now", lambda: utc_now() + timedelta(hours=1))
        yield resources


@asynccontextmanager
async def large_pools(resources: Resources) -> AsyncIterator[Resources]:
    yield elsewhere(resources, "sql", pool_size=500)


@asynccontextmanager
async def no_api(resources: Resources) -> AsyncIterator[Resources]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("src.manage.doctor.processes.API_PROCESS", "nobody:")
        yield resources


@contextmanager
def workers(found: dict[str, Worker]) -> Iterator[None]:
    async def find(_app: object) -> dict[str, Worker]:
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("src.manage.doctor.processes.find_workers", find)
        yield


@asynccontextmanager
async def no_worker(resources: Resources) -> AsyncIterator[Resources]:
    with workers({}):
        yield resources


@asynccontextmanager
async def unread_queue(resources: Resources) -> AsyncIterator[Resources]:
    async with stored(resources, schedule(queue="reports")):
        yield resources


@asynccontextmanager
async def late_schedule(resources: Resources) -> AsyncIterator[Resources]:
    async with stored(resources, schedule(next_run_at=utc_now() - timedelta(minutes=5))):
        yield resources


@asynccontextmanager
async def paused_schedule(resources: Resources) -> AsyncIterator[Resources]:
    async with stored(resources, schedule(name="nightly", enabled=False, pause_reason="its author is disabled")):
        yield resources


@asynccontextmanager
async def schedule_without_task(resources: Resources) -> AsyncIterator[Resources]:
    async with stored(resources, schedule(name="nightly", task="removed.long.ago")):
        yield resources


@asynccontextmanager
async def stuck_outbox(resources: Resources) -> AsyncIterator[Resources]:
    row = OutboxMessage(topic="task", payload={}, create_time=utc_now() - timedelta(minutes=5))
    async with stored(resources, row):
        yield resources


@asynccontextmanager
async def full_disk(resources: Resources) -> AsyncIterator[Resources]:
    usage = namedtuple("usage", "total used free")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage(100, 99, 1))
        yield resources


@asynccontextmanager
async def closed_to_browsers(resources: Resources) -> AsyncIterator[Resources]:
    """A server that allows no other origins."""
    changed = elsewhere(resources, "cors", origins=["https://app.example.com"])

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, LOOPBACK, 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield elsewhere(changed, "s3", public_endpoint_setting=f"http://{LOOPBACK}:{port}")


@asynccontextmanager
async def encrypted() -> AsyncIterator[int]:
    """The port of a server whose certificate nobody trusts, and which expires in an hour."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with TemporaryDirectory() as directory:
        context.load_cert_chain(create_certificate(Path(directory)))

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(close, LOOPBACK, 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def expiring_certificate(resources: Resources) -> AsyncIterator[Resources]:
    async with encrypted() as port:
        yield elsewhere(resources, "s3", public_endpoint_setting=f"https://{LOOPBACK}:{port}")


@asynccontextmanager
async def no_certificate(resources: Resources) -> AsyncIterator[Resources]:
    yield elsewhere(resources, "s3", public_endpoint_setting=f"https://{LOOPBACK}:1")


@asynccontextmanager
async def no_mail_server(resources: Resources) -> AsyncIterator[Resources]:
    yield elsewhere(resources, "email", smtp_url=SecretStr(f"smtp://{LOOPBACK}:1"))


@asynccontextmanager
async def wrong_mail_login(resources: Resources) -> AsyncIterator[Resources]:
    """A mail server without a login, where the settings have one."""
    async with await MailCatcher().start() as server:
        port = server.sockets[0].getsockname()[1]
        yield elsewhere(resources, "email", smtp_url=SecretStr(f"smtp://shop:secret@{LOOPBACK}:{port}"))


def openid(resources: Resources, issuer: str, **changes: Any) -> Resources:
    providers = {"test": OidcProviderSettings(issuer=issuer, client_id="shop")}
    return elsewhere(resources, "oidc", providers=providers, public_url="https://api.example.com", **changes)


@asynccontextmanager
async def no_openid_provider(resources: Resources) -> AsyncIterator[Resources]:
    yield openid(resources, f"http://{LOOPBACK}:1")


@asynccontextmanager
async def hanging_openid_provider(resources: Resources) -> AsyncIterator[Resources]:
    async with hanging_port() as port:
        yield openid(resources, f"http://{LOOPBACK}:{port}", timeout_seconds=0.2)


@asynccontextmanager
async def another_openid_provider(resources: Resources) -> AsyncIterator[Resources]:
    with openid_provider() as provider:
        provider.metadata = {"issuer": "https://other.example.com"}
        yield openid(resources, provider.issuer)


@asynccontextmanager
async def untrusted_broker(resources: Resources) -> AsyncIterator[Resources]:
    async with encrypted() as port:
        broker = parse_broker(f"rediss://{LOOPBACK}:{port}/0")
        options = {"broker_use_ssl": broker.ssl}
        with pytest.MonkeyPatch.context() as patch, Celery("doctor", broker=broker.url, changes=options) as app:
            patch.setattr(load_app(), "connection_for_write", app.connection_for_write)
            yield resources


FAULTS: list[tuple[Fault, str, str]] = [
    (no_postgresql, "postgresql", "correct SQL_DATABASE_URL"),
    (hanging_postgresql, "postgresql", "no response in time. Start it"),
    (no_replica, "databases", "The replica cannot be used: connection refused. Correct SQL_REPLICA_URL."),
    (no_named_database, "databases", "reports cannot be used: connection refused. Correct SQL_DATABASES."),
    (unmigrated_named_database, "databases", "this code at a1. Run alembic -n reports upgrade head."),
    (read_only_postgresql, "postgresql", "read-only"),
    (role_that_may_only_read, "postgresql", "may not read and write"),
    (no_schema, "schema", "migrate.sh"),
    (no_redis, "redis", "REDIS_DATABASE_URL"),
    (hanging_redis, "redis", "imeout"),
    (evicting_redis, "redis", "allkeys-lru"),
    (old_redis, "redis", "The server is Redis 6.2.14. Use version 7 or newer."),
    (no_results, "results", "Results cannot be stored: connection refused. Correct CELERY_REDIS_URL."),
    (no_mongodb, "mongodb", "MONGO_DATABASE_URL"),
    (hanging_mongodb, "mongodb", "timed out"),
    (hanging_s3, "s3", "no response in time. Start it"),
    (no_s3, "s3", "MINIO_ENDPOINT"),
    (wrong_s3_keys, "s3", "). Correct MINIO_ROOT_USER and MINIO_ROOT_PASSWORD."),
    (no_bucket, "bucket", "nowhere-at-all"),
    (no_index, "documents", "audit_logs.retention"),
    (unmigrated_documents, "documents", "rename_fields"),
    (wrong_clock, "clocks", "-3600"),
    (large_pools, "connections", "SQL_POOL_SIZE"),
    (closed_to_browsers, "cors", "Pages of https://app.example.com may not upload"),
    (expiring_certificate, "certificates", "The certificate of S3 for browsers expires in 0 days"),
    (no_certificate, "certificates", "S3 for browsers at 127.0.0.1:1 shows no certificate"),
    (no_mail_server, "email", "The mail server at 127.0.0.1:1 cannot be used: connection refused. Start it"),
    (wrong_mail_login, "email", "cannot be used: "),
    (no_openid_provider, "openid", "cannot be used: All connection attempts failed. Compare"),
    (hanging_openid_provider, "openid", "cannot be used: no response in time. Compare"),
    (another_openid_provider, "openid", "cannot be used: it is another provider, or not encrypted. Compare"),
    (untrusted_broker, "broker", "certificate verify failed: self"),
    (no_api, "api", "uvicorn src.main:app"),
    (no_worker, "workers", "celery -A src.queues.app worker"),
    (unread_queue, "queues", "reports"),
    (late_schedule, "beat", "over a minute late"),
    (paused_schedule, "schedules", "nightly: paused, its author is disabled"),
    (schedule_without_task, "schedules", "nightly: there is no task removed.long.ago"),
    (stuck_outbox, "outbox", "task: 1, the oldest 300 s old"),
    (full_disk, "disk", "0.0 GiB"),
]


class TestAHealthySystem:
    async def test_is_green(self, healthy: Resources) -> None:
        findings = await examine(healthy)
        assert [finding for finding in findings.values() if finding.status != "ok"] == []


@pytest.mark.parametrize(("fault", "check", "said"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
class TestAFault:
    async def test_is_named_in_its_line_and_in_no_other(
        self, healthy: Resources, fault: Fault, check: str, said: str
    ) -> None:
        async with fault(healthy) as broken:
            findings = await examine(broken)
        failed = [finding for finding in findings.values() if finding.status == "failed"]
        assert [finding.check for finding in failed] == [check], failed
        line = f"{failed[0].text} {failed[0].remedy}"
        assert said in line


async def test_pages_that_may_upload_are_named(healthy: Resources) -> None:
    changed = elsewhere(healthy, "cors", origins=["https://app.example.com"])
    assert await check_cors(Examination(changed)) == "Pages of https://app.example.com may upload."


async def test_what_logins_need_is_named(healthy: Resources) -> None:
    with openid_provider() as provider:
        async with await MailCatcher().start() as server:
            address = f"{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
            changed = elsewhere(openid(healthy, provider.issuer), "email", smtp_url=SecretStr(f"smtp://{address}"))
            findings = await examine(changed)
    said = [findings[name].text for name in ("email", "openid")]
    assert said == [f"{address}, not encrypted.", "test can be reached."]


@pytest.mark.parametrize(
    ("store", "changes", "server"),
    [
        ("sql", {"database_url": SecretStr("postgresql://a:b@host/app?sslmode=require")}, ("PostgreSQL", "host", 5432)),
        (
            "sql",
            {"database_url": SecretStr("postgresql://a:b@host/app?sslmode=verify-full")},
            ("PostgreSQL", "host", 5432),
        ),
        ("redis", {"database_url": SecretStr("rediss://host/0")}, ("Redis", "host", 6379)),
        (
            "celery",
            {"broker_url": SecretStr("rediss+sentinel://host:1,other:2/0?master_name=a")},
            ("broker", "host", 1),
        ),
        ("mongo", {"database_url": SecretStr("mongodb://host,other/app?tls=true")}, ("MongoDB", "host", 27017)),
        ("celery", {"broker_url": SecretStr("amqps://user:password@host/app")}, ("broker", "host", 5671)),
        ("s3", {"endpoint_setting": "https://host"}, ("S3", "host", 443)),
    ],
    ids=str,
)
def test_servers_with_certificates_are_known(store: str, changes: dict[str, Any], server: tuple[str, str, int]) -> None:
    changed = copy(settings)
    setattr(changed, store, getattr(settings, store).model_copy(update=changes))
    name, host, port = server
    assert (name, (host, port)) in list(encrypted_servers(changed))
    assert list(encrypted_servers(settings)) == []


class TestKeys:
    def test_a_damaged_key_is_named(self) -> None:
        lines = pem(rsa.generate_private_key(public_exponent=65537, key_size=3072)).splitlines()
        lines[20] = lines[20][::-1]
        auth = settings.auth.model_copy(update={"rsa_private_key_setting": SecretStr("\n".join(lines))})
        assert check_keys(auth).text == "RSA_PRIVATE_KEY is damaged."


@pytest.mark.process
class TestTheCommand:
    def test_prints_a_line_for_each_check_and_fails(self, manage: Manage) -> None:
        """Of a system without API, worker and beat."""
        done = manage("doctor", "--json")
        findings = {finding["check"]: finding for finding in json.loads(done.stdout)}
        assert (done.returncode, done.stderr) == (1, "")
        assert findings["postgresql"]["status"] == "ok"
        assert findings["workers"] == {
            "check": "workers",
            "status": "failed",
            "text": "No worker responds.",
            "remedy": "Start one: celery -A src.queues.app worker.",
        }
        assert findings["queues"]["status"] == "skipped"

    def test_names_an_unusable_setting(self, manage: Manage) -> None:
        done = manage("doctor", SQL_POOL_SIZE="none")
        assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (1, "", 1)
        assert "SQL_POOL_SIZE" in done.stdout


async def test_a_schedule_that_a_user_paused_is_fine(healthy: Resources) -> None:
    async with stored(healthy, schedule(enabled=False, pause_reason="until Monday", paused_by=uuid4())):
        assert "valid" in await check_schedules(Examination(healthy))
