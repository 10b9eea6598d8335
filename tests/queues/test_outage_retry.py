"""Runs that met an unavailable store are retried until the outage has an age, and are not lost then."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from celery.exceptions import MaxRetriesExceededError
from redis import Redis

from scripts.local.smtp import MailCatcher
from src.core.resources import Resources
from src.core.tasks.errors import PermanentError
from src.models.user import User
from src.queues.app import app
from src.queues.broker.malformed import DEAD_LETTERS
from tests.queues import sample
from tests.queues.conftest import CeleryProcess, running
from tests.support.pools import POOLS
from tests.support.waiting import PATIENCE_SECONDS, eventually, wait_until

pytestmark = pytest.mark.worker


@pytest.fixture(scope="module")
async def mail_server() -> AsyncIterator[tuple[MailCatcher, dict[str, str]]]:
    """A mail server, and the settings that lead to it."""
    catcher = MailCatcher()
    async with await catcher.start() as listener:
        url = f"smtp://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        links = {"EMAIL_FROM": "noreply@example.com", "EMAIL_LINK_URL": "https://shop.example"}
        yield catcher, {"SMTP_URL": url, **links}


@pytest.fixture(scope="module", params=POOLS, ids=lambda pool: pool.name)
def worker(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    mail_server: tuple[MailCatcher, dict[str, str]],
) -> Iterator[CeleryProcess]:
    directory: Path = tmp_path_factory.mktemp("worker")
    with running(directory) as run:
        worker = request.param.start(run, f"outages-{request.param.name}", **mail_server[1])
        worker.wait_for("ready.")
        yield worker


@pytest.fixture
def queue(worker: CeleryProcess) -> str:
    return worker.name.partition("-")[0] + "-" + worker.name.split("-")[1]


@pytest.mark.parametrize("task", [sample.outage, sample.outage_in_thread], ids=lambda task: task.name)
def test_a_run_succeeds_after_the_outage(worker: CeleryProcess, queue: str, key: str, task: Any) -> None:
    """And has all of its own retries then."""
    result = task.apply_async((key, 2), queue=queue)
    assert result.get(timeout=PATIENCE_SECONDS) == 4


def test_an_outage_begins_anew_after_another_attempt(worker: CeleryProcess, queue: str, key: str) -> None:
    result = sample.outage.apply_async((key, 1), queue=queue, retries=1, headers={"outage": [0, 0]})
    with pytest.raises(MaxRetriesExceededError):  # and not `ConnectionRefusedError`
        result.get(timeout=PATIENCE_SECONDS)


@pytest.mark.parametrize(
    ("task", "error", "gave_up"),
    [(sample.long_outage, ConnectionRefusedError, 1), (sample.hopeless, PermanentError, 0)],
    ids=["outage", "hopeless"],
)
def test_after_its_time_it_fails_and_is_a_dead_letter(
    worker: CeleryProcess, queue: str, task: Any, error: type[Exception], gave_up: int
) -> None:
    """And at once with a permanent error."""
    before = worker.output.count("task_gave_up")
    result = task.apply_async(queue=queue)
    with pytest.raises(error):
        result.get(timeout=PATIENCE_SECONDS)
    with Redis.from_url(str(app.conf.broker_url), decode_responses=True) as broker:

        def letters() -> int:
            return sum(result.id in letter for letter in broker.lrange(DEAD_LETTERS, 0, -1))

        wait_until(letters)
        assert letters() == 1
    assert worker.output.count("task_gave_up") == before + gave_up


@pytest.fixture
async def user(resources: Resources) -> AsyncIterator[User]:
    """Committed, so that the worker sees it."""
    name = uuid4().hex
    async with resources.unit_of_work() as uow:
        user = User(name="Ada", username=name, email=f"{name}@example.com", password_hash="x")
        uow.session.add(user)
    yield user
    async with resources.unit_of_work() as uow:
        await uow.session.delete(await uow.session.get_one(User, user.id))


async def test_an_email_waits_for_the_mail_server_and_one_that_is_refused_is_no_dead_letter(
    worker: CeleryProcess,
    queue: str,
    mail_server: tuple[MailCatcher, dict[str, str]],
    user: User,
    resources: Resources,
) -> None:
    catcher = mail_server[0]
    catcher.mails.clear()
    catcher.replies = {"CONNECT": "421 away"}

    async def ask() -> str:
        async with resources.unit_of_work() as uow:
            return str(uow.enqueue("emails.send_password_reset", secret_email=user.email, queue=queue))

    await ask()
    await eventually(lambda: "The mail server is unavailable" in worker.output)
    assert catcher.mails == []
    catcher.replies = {}
    await eventually(lambda: catcher.mails)
    (mail,) = catcher.mails
    assert mail.recipients == (user.email,)

    catcher.replies = {"RCPT": f"550 {user.email} is unknown"}
    refused = await ask()
    await eventually(lambda: "EmailRejectedError" in worker.output)
    with Redis.from_url(str(app.conf.broker_url), decode_responses=True) as broker:
        assert not any(refused in str(letter) for letter in broker.lrange(DEAD_LETTERS, 0, -1))
    for secret in (user.email, mail.text.partition("#token=")[2].split()[0]):
        assert secret not in worker.output
