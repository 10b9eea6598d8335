"""The commands of manage.sh that read and change data, on stores of their own."""

import json
import os
from collections.abc import Iterator
from functools import partial
from uuid import UUID

import pytest
from redis import Redis

from src.core.config import settings
from src.utils.password import verify_password
from tests.manage.conftest import Manage, run
from tests.support.databases import Bucket, own_databases
from tests.support.scratch import Scratch, scratch_database

pytestmark = pytest.mark.process

PASSWORD = "correct horse battery staple"
NOT_A_USER = "There is no user 'nobody'.\n"
COUNTS = (
    "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM roles), (SELECT count(*) FROM notices),"
    " (SELECT count(*) FROM schedules), (SELECT count(*) FROM files)"
)


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """Stores that nothing else uses."""
    redis = {"REDIS_DATABASE_URL": settings.redis.url_of_database(10), "CELERY_REDIS_DATABASE": "11"}
    bucket = Bucket(os.environ)
    bucket.create()
    with own_databases() as databases:
        yield databases | bucket.environment | redis
    bucket.drop()


@pytest.fixture(scope="module")
def database(environment: dict[str, str]) -> Iterator[Scratch]:
    """With the schema and the initial data."""
    with scratch_database(migrated=True) as database:
        environment["SQL_DATABASE_URL"] = database.url.render_as_string(hide_password=False)
        database.run("src.initdb", **environment)
        yield database


@pytest.fixture(scope="module")
def manage(environment: dict[str, str], database: Scratch) -> Manage:
    """Runs a command on these stores."""
    return partial(run, **environment)


@pytest.fixture
def redis(environment: dict[str, str]) -> Iterator[Redis]:
    with Redis.from_url(environment["REDIS_DATABASE_URL"], decode_responses=True) as redis:
        yield redis


def admin_id(database: Scratch) -> UUID:
    ((user_id,),) = database.rows("SELECT id FROM users WHERE username = 'admin'")
    return UUID(str(user_id))


def stored_hash(database: Scratch, username: str) -> str:
    ((hashed,),) = database.rows(f"SELECT password_hash FROM users WHERE username = '{username}'")  # noqa: S608 - ours
    return str(hashed)


def audited(database: Scratch, command: str) -> list[dict[str, object]]:
    """The entries on their way to the audit log that a command wrote."""
    rows = database.rows("SELECT payload FROM outbox WHERE topic = 'audit' ORDER BY id")
    entries = [json.loads(payload) for (payload,) in rows]
    return [entry for entry in entries if entry["action"] == f"manage.sh user {command}"]


class TestUserPassword:
    @pytest.fixture(scope="class")
    @classmethod
    def done(cls, manage: Manage, database: Scratch) -> str:
        done = manage("user", "password", "admin", "--password-stdin", stdin=f"{PASSWORD}\n")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def test_is_set(self, done: str, database: Scratch) -> None:
        assert verify_password(PASSWORD, stored_hash(database, "admin"))[0]

    def test_is_not_printed_when_it_is_known(self, done: str) -> None:
        assert done == "The password of admin is set, and all their sessions have ended.\n"

    def test_is_in_the_audit_log_with_the_user_and_without_the_password(self, done: str, database: Scratch) -> None:
        (entry, *_) = audited(database, "password")
        assert (entry["target"], entry["result"]) == ({"userId": str(admin_id(database))}, "success")
        assert PASSWORD not in json.dumps(entry)

    def test_is_shown_when_it_was_generated_and_ends_the_sessions(
        self, manage: Manage, database: Scratch, redis: Redis
    ) -> None:
        user, other = admin_id(database), UUID(int=1)
        for owner in (user, other):
            redis.hset(f"auth:session:{{{owner}}}:one", mapping={"jti": "any"})
            redis.zadd(f"auth:sessions:{{{owner}}}", {"one": 9_999_999_999})
        shown = manage("user", "password", "admin", "--generate").stdout.splitlines()[-1]
        password = shown.removeprefix("Password: ").removesuffix(" (shown once)")
        assert verify_password(password, stored_hash(database, "admin"))[0]
        assert not redis.exists(f"auth:session:{{{user}}}:one")
        assert redis.exists(f"auth:session:{{{other}}}:one")

    def test_follows_the_policy(self, manage: Manage) -> None:
        done = manage("user", "password", "admin", "--password-stdin", stdin="password1\n")
        assert (done.returncode, done.stderr) == (1, "The password is one of the most common passwords.\n")

    def test_needs_a_terminal_to_ask_at(self, manage: Manage) -> None:
        done = manage("user", "password", "admin")
        assert (done.returncode, done.stdout) == (1, "")
        assert "use --password-stdin or --generate" in done.stderr

    def test_of_nobody_is_one_line(self, manage: Manage) -> None:
        done = manage("user", "password", "nobody", "--generate")
        assert (done.returncode, done.stdout, done.stderr) == (1, "", NOT_A_USER)


class TestUserCreate:
    def test_needs_an_email_where_there_is_no_terminal(self, manage: Manage) -> None:
        done = manage("user", "create", "ada", "--generate")
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "--email is required.\n")

    def test_makes_an_account_that_can_log_in(self, manage: Manage, database: Scratch) -> None:
        email = ("--email", "ada@example.com")
        done = manage("user", "create", "ada", *email, "--password-stdin", stdin=PASSWORD)
        assert (done.returncode, done.stdout) == (0, "Created ada.\n")
        assert verify_password(PASSWORD, stored_hash(database, "ada"))[0]
        assert len(audited(database, "create")) == 1

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (("admin", "--email", "second@example.com"), "The username or the email address is taken.\n"),
            (("eve", "--email", "nowhere"), "email: "),
            (("eve", "--email", "eve@example.com", "--role", "none"), "Unknown roles: none.\n"),
        ],
    )
    def test_is_refused_in_one_line(self, manage: Manage, arguments: tuple[str, ...], reason: str) -> None:
        done = manage("user", "create", *arguments, "--generate")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert done.stderr.startswith(reason)


class TestUserPromote:
    def test_makes_an_administrator(self, manage: Manage, database: Scratch) -> None:
        manage("user", "create", "grace", "--email", "grace@example.com", "--generate")
        done = manage("user", "promote", "grace")
        assert done.stdout == "grace is an administrator from the next request on.\n"
        assert database.rows("SELECT is_admin FROM users WHERE username = 'grace'") == [(True,)]
        assert len(audited(database, "promote")) == 1

    def test_of_an_administrator_is_refused(self, manage: Manage) -> None:
        done = manage("user", "promote", "admin")
        assert (done.returncode, done.stderr) == (1, "admin is an administrator already.\n")


class TestUserUnlock:
    def test_lifts_the_throttle(self, manage: Manage, redis: Redis) -> None:
        key = "auth:failures:{login}:account:admin"
        redis.set(key, settings.auth.login_failures_per_account + 1, ex=600)
        assert manage("user", "unlock", "admin").stdout == "admin may log in again.\n"
        assert not redis.exists(key)

    def test_of_an_account_without_failures_says_so(self, manage: Manage) -> None:
        assert manage("user", "unlock", "admin").stdout == "admin was not locked: no failed logins.\n"


class TestShell:
    def test_awaits_at_the_prompt_and_goes_on_after_an_error(self, manage: Manage) -> None:
        lines = '1 / 0\nuser = (await session.exec(select(User).where(User.username == "admin"))).one()\nuser.email\n'
        done = manage("shell", stdin=lines)
        assert "ZeroDivisionError" in done.stderr
        assert done.stdout == "'admin@example.com'\n"
        assert done.returncode == 1

    def test_prints_results_only_where_there_is_no_terminal(self, manage: Manage) -> None:
        done = manage("shell", stdin="for number in range(2):\n    number\n")
        assert (done.returncode, done.stdout, done.stderr) == (0, "0\n1\n", "")

    @pytest.mark.parametrize("lines", ["1 +\n", "(1,\n"])
    def test_fails_after_a_syntax_error(self, manage: Manage, lines: str) -> None:
        assert manage("shell", stdin=lines).returncode == 1

    def test_stores_what_is_committed_and_nothing_else(self, manage: Manage, database: Scratch) -> None:
        lines = [
            'session.add(Role(name="Kept", code="kept"))',
            "await uow.commit()",
            'session.add(Role(name="Ghost", code="ghost"))',
            "await session.flush()",
            "exit(3)",
        ]
        assert manage("shell", stdin="\n".join(lines)).returncode == 3
        assert database.rows("SELECT code FROM roles") == [("kept",)]


class TestSeed:
    def test_twice_adds_nothing(self, manage: Manage, database: Scratch) -> None:
        first = manage("seed")
        assert first.returncode == 0, first.stderr
        ((users, *_),) = counts = database.rows(COUNTS)
        assert users >= 50
        assert verify_password(first.stdout.split()[-1], stored_hash(database, "demo50"))[0]
        assert manage("seed").stdout.splitlines()[0] == "Roles: 0 inserted."
        assert database.rows(COUNTS) == counts


class TestReset:
    def test_asks_first(self, manage: Manage, database: Scratch) -> None:
        before = database.rows(COUNTS)
        done = manage("reset", stdin="n\n")
        assert (done.returncode, done.stderr) == (1, "Nothing was erased.\n")
        assert database.rows(COUNTS) == before

    def test_names_the_flag_where_nobody_answers(self, manage: Manage) -> None:
        done = manage("reset")
        assert (done.returncode, done.stderr) == (1, "Nothing was erased. Without a terminal, add --yes.\n")

    def test_leaves_the_initial_data_alone(self, manage: Manage, database: Scratch, redis: Redis) -> None:
        redis.set("left", "over")
        done = manage("reset", "--yes")
        assert done.returncode == 0, done.stderr
        assert database.rows(COUNTS) == [(1, 0, 0, 0, 0)]
        assert not redis.exists("left")
        assert "Administrator: admin was created." in done.stdout


class TestAMissingStore:
    @pytest.mark.parametrize("command", [("user", "unlock", "admin"), ("shell",)], ids=" ".join)
    def test_is_one_line(self, manage: Manage, command: tuple[str, ...]) -> None:
        done = run(*command, SQL_DATABASE_URL="postgresql://a:b@127.0.0.1:1/none")
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert done.stderr.startswith("Cannot use PostgreSQL at 127.0.0.1:1/none: ")
