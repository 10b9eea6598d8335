"""The catalog lists each task, and validates arguments before they are sent."""

import os
from functools import cache
from pathlib import Path

import pytest

from src.queues import tasks
from src.queues.app import app
from src.queues.publisher import read_catalog
from tests.queues import sample
from tests.support.fork_server import run_python

# The module with the tasks of a feature, the settings that switch it on, and a service that only it imports.
FEATURES = {
    "account_deletion": ({"ACCOUNT_DELETION_DAYS": "7"}, "src.services.account_deletion"),
    "account_export": ({"ACCOUNT_EXPORT_DAYS": "7"}, "src.services.account_export"),
    "emails": (
        {"SMTP_URL": "smtp://localhost", "EMAIL_FROM": "a@shop.example", "EMAIL_LINK_URL": "https://shop.example"},
        "src.services.email_sender",
    ),
}
IMPORTED = """
import sys
from src.queues.app import app
app.loader.import_default_modules()
print(*sys.modules)
"""


@cache
def imported(feature: str = "") -> set[str]:
    """The modules that a worker imports with no such feature but this one."""
    environment = os.environ | (FEATURES[feature][0] if feature else {})
    return set(run_python("-c", IMPORTED, environment=environment).stdout.split())


@pytest.mark.process
class TestTasksOfFeatures:
    @pytest.mark.parametrize("feature", FEATURES)
    def test_are_imported_where_it_is_on(self, feature: str) -> None:
        only = {f"{tasks.__name__}.{feature}", FEATURES[feature][1]}
        assert (only & imported(), only - imported(feature)) == (set(), set())

    def test_are_all_that_is_left_out(self) -> None:
        modules = {file.stem for file in Path(tasks.__path__[0]).glob("[a-z]*.py")}
        assert {name for name in modules if f"{tasks.__name__}.{name}" not in imported()} == set(FEATURES)


class TestTasks:
    def test_each_is_listed_with_its_docstring(self) -> None:
        catalog = read_catalog(app)
        assert catalog["system.ping"].description.startswith("Return `pong`")
        assert "notices.announce" in catalog
        assert not any(name.startswith("celery.") for name in catalog)

    def test_signatures_leave_out_self_and_injected_parameters(self) -> None:
        catalog = read_catalog(app)
        assert list(catalog[sample.mark.name].signature.parameters) == ["key", "value"]
        assert list(catalog[sample.flaky.name].signature.parameters) == ["failures"]
        assert list(catalog[sample.multiply.name].signature.parameters) == ["x", "y"]


class TestCalls:
    @pytest.mark.parametrize(
        ("task", "args", "kwargs", "fields"),
        [
            ("sample.add", [1, 2], {}, []),
            ("sample.add", [1], {"y": 2}, []),
            ("sample.mirror", [{"x": 1, "y": 2}], {}, []),
            ("sample.overdue", [], {"handles": True}, []),
            ("sample.add", [1], {}, ["args"]),
            ("sample.add", [], {"x": 1, "z": 2}, ["kwargs"]),
            ("sample.add", [1, "two"], {}, ["args.1"]),
            ("sample.add", ["one"], {"y": "two"}, ["args.0", "kwargs.y"]),
            ("sample.mirror", [{"x": 1}], {}, ["args.0"]),
            ("sample.multiply", [1, None], {}, ["args.1"]),
        ],
    )
    def test_arguments_are_validated_by_their_types(
        self, task: str, args: list[object], kwargs: dict[str, object], fields: list[str]
    ) -> None:
        assert list(read_catalog(app)[task].check_call(args, kwargs)) == fields


def test_only_results_that_somebody_waits_for_are_kept() -> None:
    app.autodiscover_tasks([tasks.__name__], force=True)  # also of features that are off here
    kept = {name for name, task in app.tasks.items() if name in read_catalog(app) and not task.ignore_result}
    assert {name for name in kept if not name.startswith(("sample.", "tests."))} == {"system.ping"}
    assert app.conf.result_expires <= 3600
