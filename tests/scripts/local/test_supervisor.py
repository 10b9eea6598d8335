import json
import signal
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from dotenv import dotenv_values
from pymongo import MongoClient
from redis import Redis

from scripts.local.applications import answers
from scripts.local.log import Log
from scripts.local.ports import LOOPBACK
from scripts.local.process import Process
from scripts.local.store import STORE_PATIENCE_SECONDS
from tests.scripts.local.conftest import Supervisor, processes_on, supervisor_on_new_directory
from tests.support.waiting import wait_until

pytestmark = pytest.mark.process

DYING = "print('out of luck'); raise SystemExit(3)"
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def whole() -> Iterator[Supervisor]:
    """One data directory for the module: a later start takes a third of the first."""
    with supervisor_on_new_directory() as supervisor:
        yield supervisor


@pytest.fixture(scope="module")
def supervisor() -> Iterator[Supervisor]:
    """Without MongoDB, which takes seconds to start and to stop."""
    with supervisor_on_new_directory(MONGO_HOST="elsewhere") as supervisor:
        yield supervisor


@pytest.fixture(scope="class")
def running(whole: Supervisor) -> Supervisor:
    if not whole.is_running:
        whole.start()
    return whole


@pytest.fixture(scope="class")
def stopped(running: Supervisor) -> Supervisor:
    write(running, "over a stop")
    assert running.signal(signal.SIGINT) == 0
    return running


@pytest.fixture(scope="class")
def killed(running: Supervisor) -> Supervisor:
    write(running, "over a kill")
    running.signal(signal.SIGKILL)
    return running


def environment(supervisor: Supervisor) -> dict[str, str]:
    return {name: value for name, value in dotenv_values(supervisor.directory / "env").items() if value}


def write(supervisor: Supervisor, key: str) -> None:
    variables = environment(supervisor)
    with Redis.from_url(variables["REDIS_DATABASE_URL"]) as redis:
        redis.set(key, "kept")
    with MongoClient[dict[str, object]](variables["MONGO_DATABASE_URL"]) as mongo:
        mongo.get_default_database()["kept"].insert_one({"_id": key})


def has(supervisor: Supervisor, key: str) -> bool:
    variables = environment(supervisor)
    with (
        Redis.from_url(variables["REDIS_DATABASE_URL"]) as redis,
        MongoClient[dict[str, object]](variables["MONGO_DATABASE_URL"]) as mongo,
    ):
        return bool(redis.exists(key)) and mongo.get_default_database()["kept"].count_documents({"_id": key}) == 1


class TestRunning:
    def test_hands_the_urls_to_other_processes(self, running: Supervisor) -> None:
        names = {"SQL_DATABASE_URL", "REDIS_DATABASE_URL", "MONGO_DATABASE_URL", "MINIO_ENDPOINT", "RSA_PRIVATE_KEY"}
        assert names <= environment(running).keys()

    def test_keeps_secrets_to_its_user(self, running: Supervisor) -> None:
        files = [
            running.directory / name for name in ("env", "secrets.json", "rsa_private_key.pem", "redis/valkey.conf")
        ]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}

    def test_shows_the_output_of_the_application(self, running: Supervisor) -> None:
        wait_until(lambda: "worker | at work" in running.output.read_text())

    def test_puts_no_password_on_a_command_line(self, running: Supervisor) -> None:
        passwords = json.loads((running.directory / "secrets.json").read_text()).values()
        lines = " ".join(processes_on(running.directory))
        assert not [password for password in passwords if password in lines]

    def test_refuses_a_second_start_and_names_the_first(self, running: Supervisor) -> None:
        second = Supervisor(running.directory, "second")
        first = f"process {running.process.pid}, http://localhost:{running.port}"
        assert second.run() == (1, f"Already running on {running.directory}: {first}.\n")

    def test_serves_other_commands(self, running: Supervisor) -> None:
        second = Supervisor(running.directory, "second")
        assert second.run("run", "--", "echo", "hello") == (0, "hello\n")


class TestStop:
    """In this order: the supervisor is stopped by the first test, and started again by the last."""

    def test_leaves_no_process(self, stopped: Supervisor) -> None:
        assert processes_on(stopped.directory) == []

    def test_takes_the_urls_back(self, stopped: Supervisor) -> None:
        assert not (stopped.directory / "env").exists()

    def test_keeps_the_data(self, stopped: Supervisor) -> None:
        stopped.start()
        assert has(stopped, "over a stop")


class TestKill:
    """In this order: the supervisor is killed by the first test, and started again by the second."""

    def test_takes_the_children_along(self, killed: Supervisor) -> None:
        wait_until(lambda: processes_on(killed.directory) == [], seconds=10)

    def test_loses_no_data(self, killed: Supervisor) -> None:
        killed.start()
        assert has(killed, "over a kill")


class TestSecondRequest:
    def test_kills_what_does_not_stop(self, supervisor: Supervisor) -> None:
        supervisor.start(APPLICATION=DEAF)
        wait_until(lambda: "deaf" in supervisor.output.read_text())
        supervisor.process.send_signal(signal.SIGINT)
        wait_until(lambda: "Stopping" in supervisor.output.read_text())
        supervisor.signal(signal.SIGINT)
        assert processes_on(supervisor.directory) == []


class TestNarration:
    def test_names_each_step_before_it_is_done(self, running: Supervisor) -> None:
        lines = running.output.read_text().splitlines()
        steps = [line for line in lines if line.endswith("…")]
        assert steps[0].startswith("Starting PostgreSQL, Redis, S3 and MongoDB; the data is in ")
        assert steps[1:] == ["Running setup …", "Starting api and worker …"]


class TestStopping:
    def test_takes_less_than_five_seconds_whatever_the_application_does(self, supervisor: Supervisor) -> None:
        supervisor.start(APPLICATION=DEAF)
        wait_until(lambda: "deaf" in supervisor.output.read_text())
        patience = Process("", [], Log(Path())).patience_seconds + STORE_PATIENCE_SECONDS
        started = time.monotonic()
        assert supervisor.signal(signal.SIGINT) == 0
        assert time.monotonic() - started < 30  # a slow machine
        assert patience < 5


class TestReload:
    """A program that does what its file says; in this order."""

    @pytest.fixture(scope="class")
    @classmethod
    def code(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        code = tmp_path_factory.mktemp("code") / "src" / "code.py"
        code.parent.mkdir()
        code.write_text("print('first', flush=True)")
        return code

    @pytest.fixture(scope="class")
    @classmethod
    def reloading(cls, supervisor: Supervisor, code: Path) -> Iterator[Supervisor]:
        application = f"import time; exec(open({str(code)!r}).read()); time.sleep(600)"
        supervisor.start(APPLICATION=application, WATCHED=str(code.parent))
        yield supervisor
        supervisor.close()

    def test_runs_the_changed_code(self, reloading: Supervisor, code: Path) -> None:
        wait_until(lambda: "worker | first" in reloading.output.read_text())
        code.write_text("print('second', flush=True)")
        wait_until(lambda: "worker | second" in reloading.output.read_text())
        assert "Changed: src/code.py. Restarting." in reloading.output.read_text()
        wait_until(lambda: "\nReady after " in reloading.output.read_text())

    def test_waits_for_a_correction_of_code_that_fails(self, reloading: Supervisor, code: Path) -> None:
        code.write_text("print('broken', flush=True); raise SystemExit(3)")
        told = "worker ended with exit code 3. api and worker stop until the next change."
        wait_until(lambda: told in reloading.output.read_text())
        assert "worker | broken" in reloading.output.read_text()
        assert reloading.is_running

    def test_goes_on_with_the_correction(self, reloading: Supervisor, code: Path) -> None:
        code.write_text("print('corrected', flush=True)")
        wait_until(lambda: "worker | corrected" in reloading.output.read_text())
        assert answers(LOOPBACK, reloading.port, "/")

    def test_can_be_left_out(self, supervisor: Supervisor, code: Path) -> None:
        supervisor.close()
        supervisor.start("--no-reload", WATCHED=str(code.parent))
        code.write_text("print('never seen', flush=True)")
        wait_until(lambda: "worker | at work" in supervisor.output.read_text())
        supervisor.close()
        assert "Changed:" not in supervisor.output.read_text()


class TestStoresOnly:
    def test_starts_no_application(self, supervisor: Supervisor) -> None:
        supervisor.close()
        supervisor.start("--stores", until="The stores are ready")
        assert "SQL_DATABASE_URL" in environment(supervisor)
        assert not answers(LOOPBACK, supervisor.port, "/")
        supervisor.close()


class TestDeathOfAChild:
    def test_ends_everything_and_says_why(self, supervisor: Supervisor) -> None:
        code, output = supervisor.run(APPLICATION=DYING)
        assert code == 1
        assert output.endswith("worker ended with exit code 3. Its last lines:\nout of luck\n")
        assert processes_on(supervisor.directory) == []


class TestBusyPort:
    @pytest.mark.parametrize(("offset", "name"), [(0, "API"), (4, "S3")])
    def test_is_named_with_the_setting(self, supervisor: Supervisor, offset: int, name: str) -> None:
        with socket.create_server((LOOPBACK, supervisor.port + offset)):
            code, output = supervisor.run()
        assert code == 1
        assert f"Port {supervisor.port + offset} ({name}) is in use. Set PORT" in output


class TestUnusableSettings:
    @pytest.mark.parametrize(
        ("arguments", "setting"),
        [((), {"MAX_BODY_BYTES": "many"}), (("run", "--", "true"), {"SOCKETIO_STRIKES": "3"})],
        ids=["invalid", "renamed"],
    )
    def test_are_one_line_before_anything_starts(
        self, directory: Path, arguments: tuple[str, ...], setting: dict[str, str]
    ) -> None:
        supervisor = Supervisor(directory)
        code, output = supervisor.run(*arguments, **setting)
        assert (code, output.count("\n")) == (1, 1)
        assert next(iter(setting)) in output
        assert list(directory.iterdir()) == [supervisor.output]


class TestWholeApplication:
    """The plan that `scripts/dev.sh` follows, up to its end by Ctrl-C."""

    @pytest.fixture(scope="class")
    @classmethod
    def application(cls, running: Supervisor) -> Supervisor:
        running.close()
        running.start(until="Ready.", PLAN="default")
        return running

    @pytest.mark.parametrize("path", ["/livez", "/readyz", "/docs"])
    def test_answers(self, application: Supervisor, path: str) -> None:
        assert answers(LOOPBACK, application.port, path)

    def test_prints_the_login(self, application: Supervisor) -> None:
        assert "admin / 123456" in application.output.read_text()

    def test_tells_the_api_where_emails_are_kept(self, application: Supervisor) -> None:
        assert environment(application)["EMAIL_CAUGHT_DIRECTORY"] == str(application.directory / "mails")
        url = f"http://{LOOPBACK}:{application.port}/api/v1/ops/caught-emails"
        assert httpx.get(url).status_code == 401  # not 404: there is such a route

    def test_leaves_no_process(self, application: Supervisor) -> None:
        assert application.signal(signal.SIGINT) == 0
        assert processes_on(application.directory) == []


class TestRun:
    def test_starts_the_stores_for_one_command(self, supervisor: Supervisor) -> None:
        code, output = supervisor.run("run", "--", "sh", "-c", "echo $MINIO_ENDPOINT; exit 5")
        assert (code, output) == (5, f"http://{LOOPBACK}:{supervisor.port + 4}\n")

    def test_leaves_configured_stores_alone(self, directory: Path) -> None:
        urls = dict.fromkeys(("SQL_DATABASE_URL", "MONGO_HOST", "REDIS_HOST", "MINIO_ENDPOINT"), "elsewhere")
        supervisor = Supervisor(directory)
        assert supervisor.run("run", "--", "echo", "hello", **urls) == (0, "hello\n")
        assert list(directory.iterdir()) == [supervisor.output]
