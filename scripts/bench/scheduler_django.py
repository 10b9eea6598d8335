"""Measures django-celery-beat; run it with an interpreter that has it."""

import os
import sys
from typing import Any
from urllib.parse import urlsplit

import django
from celery import Celery
from django.conf import settings

from scripts.bench.scheduler_costs import report

URL = urlsplit(os.environ["BENCH_DATABASE"])
settings.configure(
    INSTALLED_APPS=["django_celery_beat"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": URL.path[1:],
            "USER": URL.username,
            "PASSWORD": URL.password,
            "HOST": URL.hostname,
            "PORT": URL.port,
        }
    },
    USE_TZ=True,
)
django.setup()

from django.core.management import call_command  # noqa: E402 - after the settings
from django.utils import timezone  # noqa: E402
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks  # noqa: E402
from django_celery_beat.schedulers import DatabaseScheduler  # noqa: E402


def main(count: int) -> None:
    """Fill the table and measure."""
    call_command("migrate", verbosity=0)
    PeriodicTask.objects.all().delete()
    hour, _ = IntervalSchedule.objects.get_or_create(every=1, period="hours")
    now = timezone.now()
    rows = (
        PeriodicTask(name=f"bench {n}", task="bench.task", interval=hour, args="[1]", queue="bench", last_run_at=now)
        for n in range(count)
    )
    PeriodicTask.objects.bulk_create(rows, batch_size=1000)
    PeriodicTasks.update_changed()
    app = Celery("bench", broker=os.environ["BENCH_BROKER"])
    app.conf.beat_schedule = {}
    schedulers: list[Any] = []

    def tick() -> None:
        delay = 0.0
        while delay == 0:  # Celery sends one entry per tick
            delay = schedulers[0].tick()

    def load() -> None:
        schedulers.append(DatabaseScheduler(app))
        tick()

    def change_one() -> None:
        row = PeriodicTask.objects.get(name="bench 1")
        row.description = "changed"
        row.save()

    def make_due(due: int) -> None:
        entries = [schedulers[0].schedule[f"bench {n + 2}"] for n in range(due)]
        for entry in entries:
            entry.last_run_at = entry.model.last_run_at = timezone.now() - timezone.timedelta(hours=2)
        schedulers[0]._heap = None

    report(load, tick, change_one, make_due)


if __name__ == "__main__":
    main(int(sys.argv[1]))
