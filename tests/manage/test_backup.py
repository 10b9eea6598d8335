"""Back up, destroy, restore, compare, on stores of their own."""

import json
import os
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from minio import Minio
from pymongo import MongoClient
from redis import Redis
from sqlalchemy import make_url

from src.core.config import settings
from src.manage.backup import back_up, restore
from tests.manage.conftest import Manage, run
from tests.support.databases import Bucket, own_databases
from tests.support.scratch import Scratch, scratch_database

pytestmark = [pytest.mark.process, pytest.mark.slow]

KEY = f"files/{UUID(int=1)}"
CONTENT = os.urandom(300_000)
EXPIRY = 4_000_000_000_000
SESSION = "auth:session:{1}:2"
AUDITED = {"_id": UUID(int=2), "times": 3, "nested": {"empty": [], "number": 2**40}}
LINE = (
    "INSERT INTO notices (id, title, body, status, expires_at, create_time, update_time, version)"
    " SELECT gen_random_uuid(), 'title ' || n, E'a\\tb\\nc\\\\', 'PUBLISHED', now(), now(), now(), 1 "
    "FROM generate_series(1, 50) n"
)


class Stores:
    """The stores of an environment, as an operator sees them."""

    def __init__(self, environment: dict[str, str], database: Scratch) -> None:
        self.database = database
        self.redis = Redis.from_url(environment["REDIS_DATABASE_URL"])
        self.broker = Redis.from_url(settings.redis.url_of_database(13))
        client: MongoClient[dict[str, Any]] = MongoClient(
            environment["MONGO_DATABASE_URL"], uuidRepresentation="standard"
        )
        self.mongo = client.get_default_database()
        self.s3 = Minio(**settings.s3.client_options())
        self.bucket = environment["MINIO_BUCKET"]

    def fill(self) -> None:
        self.database.rows(LINE)
        self.mongo["audit_logs"].insert_many([AUDITED, {"_id": UUID(int=3)}])
        self.redis.hset(SESSION, "state", "live")
        self.redis.pexpireat(SESSION, EXPIRY)
        self.redis.set("auth:permission:{1}", "old")
        self.broker.rpush("celery", b"\xff\x00message", "another")
        self.s3.put_object(self.bucket, KEY, BytesIO(CONTENT), len(CONTENT))

    def destroy(self) -> None:
        self.database.rows("DROP SCHEMA public CASCADE")
        self.database.rows("CREATE SCHEMA public")
        self.mongo.client.drop_database(self.mongo.name)
        self.redis.flushdb()
        self.broker.flushdb()
        self.s3.remove_object(self.bucket, KEY)

    def close(self) -> None:
        self.redis.flushdb()
        self.broker.flushdb()
        self.redis.close()
        self.broker.close()
        self.mongo.client.close()


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    redis = {"REDIS_DATABASE_URL": settings.redis.url_of_database(12), "CELERY_REDIS_DATABASE": "13"}
    bucket = Bucket(os.environ)
    bucket.create()
    with own_databases() as databases, scratch_database(migrated=True) as database:
        url = {"SQL_DATABASE_URL": database.url.render_as_string(hide_password=False)}
        yield databases | bucket.environment | redis | url
    bucket.drop()


@pytest.fixture(scope="module")
def manage(environment: dict[str, str]) -> Manage:
    return partial(run, **environment)


@pytest.fixture(scope="module")
def stores(environment: dict[str, str]) -> Iterator[Stores]:
    stores = Stores(environment, Scratch(make_url(environment["SQL_DATABASE_URL"])))
    stores.fill()
    yield stores
    stores.close()


@pytest.fixture(scope="module")
def backup(stores: Stores, manage: Manage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("backup") / "first"
    done = manage("backup", str(directory))
    assert done.returncode == 0, done.stderr
    return directory


def contents(directory: Path) -> dict[str, bytes]:
    """Its files, without the times of the manifest."""
    files = {str(path.relative_to(directory)): path for path in directory.rglob("*") if path.is_file()}
    manifest = json.loads(files.pop("manifest.json").read_text())
    del manifest["begun"], manifest["ended"]
    return {name: path.read_bytes() for name, path in files.items()} | {"manifest": json.dumps(manifest).encode()}


def test_stores_that_have_data_are_refused(backup: Path, manage: Manage, stores: Stores) -> None:
    done = manage("restore", str(backup))
    assert (done.returncode, done.stderr) == (1, "Nothing was restored: PostgreSQL, MongoDB, Redis, S3 not empty.\n")
    assert stores.database.rows("SELECT count(*) FROM notices") == [(50,)]


def test_what_was_destroyed_is_back(backup: Path, manage: Manage, stores: Stores, tmp_path: Path) -> None:
    stores.destroy()
    restored = manage("restore", str(backup))
    assert restored.returncode == 0, restored.stderr
    again = manage("backup", str(tmp_path / "second"))
    assert again.returncode == 0, again.stderr
    before, after = contents(backup), contents(tmp_path / "second")
    assert after.keys() == before.keys()
    assert [name for name in before if after[name] != before[name]] == []
    assert stores.database.rows("SELECT DISTINCT body FROM notices") == [("a\tb\nc\\",)]
    assert stores.mongo["audit_logs"].find_one({"_id": AUDITED["_id"]}) == AUDITED
    assert (stores.redis.hgetall(SESSION), stores.redis.pexpiretime(SESSION)) == (
        {b"state": b"live"},
        4_000_000_000_000,
    )
    assert not stores.redis.exists("auth:permission:{1}")
    assert stores.broker.lrange("celery", 0, -1) == [b"\xff\x00message", b"another"]
    assert stores.s3.get_object(stores.bucket, KEY).read() == CONTENT


def test_a_backup_that_did_not_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"no complete backup: it has no manifest\.json"):
        restore(tmp_path)


def test_a_directory_that_has_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="is not empty"):
        back_up(tmp_path)
