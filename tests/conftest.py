"""Each process that runs tests has stores of its own; `tests/support/README.md` says what else there is."""

import atexit
import os
from collections.abc import Generator

import pytest

from tests.support.process import forget_closed, measure_only_processes, outputs
from tests.support.stores import SessionStores

LONG = {"worker", "process", "slow"}

# At import, not in a hook: the settings are read when the first test module or conftest below imports the application.
_stores = SessionStores()
atexit.register(_stores.close)


def pytest_xdist_auto_num_workers() -> int:
    """Tests wait as often as they compute. They flush Redis and listen to its channels: each worker needs its own."""
    return min(2 * (os.cpu_count() or 1), 8) if _stores.has_own_redis else 0


def pytest_configure(config: pytest.Config) -> None:
    """Make the fixtures known to a process that is going to run tests."""
    if config.getoption("dist", "no") != "no" and config.getoption("tx"):
        if not _stores.has_own_redis:
            raise pytest.UsageError("One Redis cannot serve tests side by side: leave -n out, or its settings.")
        _stores.close()  # this is pytest-xdist's controller, whose workers inherit the environment
    else:
        config.pluginmanager.import_plugin("tests.support.fixtures")
        config.pluginmanager.import_plugin("tests.support.served")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what talks to the application in a process of its own; side by side, long files begin."""
    for item in items:
        if "served_process" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.process)
    if hasattr(config, "workerinput"):
        long = {item.path for item in items if LONG & {mark.name for mark in item.iter_markers()}}
        items.sort(key=lambda item: item.path not in long)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the stores before the first test, if one needs them."""
    measure_only_processes()
    needed = any(item.get_closest_marker("unit") is None for item in session.items)
    if needed and not session.config.option.collectonly:
        _stores.start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows the last lines of each process that ran."""
    report = yield
    if report.failed:
        report.sections += [(f"output of {command}", lines) for command, lines in outputs()]
    return report


def pytest_runtest_logfinish() -> None:
    """The next test shows its own."""
    forget_closed()


def pytest_unconfigure() -> None:
    """Stop what was started."""
    _stores.close()
