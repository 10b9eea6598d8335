"""The two worker pools that tests of workers run on."""

from dataclasses import dataclass

from tests.queues.conftest import WORKER, CeleryProcess, Run


@dataclass(frozen=True)
class Pool:
    """How to start a worker with this pool."""

    name: str
    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]

    def start(self, run: Run, queue: str, *arguments: str, **environment: str) -> CeleryProcess:
        """Start a worker on a queue."""
        environment = {**dict(self.environment), "SAMPLE_QUEUE": queue, **environment}
        node = f"{queue}-{self.name}-{id(run)}@test"
        return run(*WORKER, "-Q", queue, "-n", node, *self.arguments, *arguments, **environment)


PREFORK = Pool("prefork", ("-c", "2"), (("CELERY_BULK_TRANSPORT", "false"),))
ASYNCIO = Pool(
    "asyncio",
    ("-P", "custom", "-c", "100"),
    (("CELERY_CUSTOM_WORKER_POOL", "src.queues.pool:AsyncIOPool"), ("CELERY_BULK_TRANSPORT", "true")),
)
POOLS = [PREFORK, ASYNCIO]
