"""Each process that runs tests has stores of its own; `tests/support/README.md` says what else there is."""

import atexit
import gc
import os
import re
from collections.abc import Generator

import pytest

from scripts.check.chromium import find_chromium
from tests.support.process import forget_closed, measure_on_request, outputs
from tests.support.stores import SessionStores

LONG = {"worker", "process", "slow"}
# Random UUIDs (those that are written out end with zeros), and addresses of objects.
RANDOM = re.compile(r"-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-(?!0{10})[0-9a-f]{12}|0x[0-9a-f]{6}")

# At import, not in a hook: other conftest files import the application, which reads the settings.
_stores = SessionStores()
atexit.register(_stores.close)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two workers per core, for tests of processes mostly wait, or else one per core; and one more.

    One process when all tests would share one Redis.
    """
    cores = os.cpu_count() or 1
    wait = "not process" not in config.option.markexpr
    return min((2 * cores if wait else cores) + 1, 8) if _stores.has_own_redis else 0


def pytest_configure(config: pytest.Config) -> None:
    """Register the fixtures in a process that runs tests."""
    if config.getoption("dist", "no") != "no" and config.getoption("tx"):
        if not _stores.has_own_redis:
            raise pytest.UsageError("One Redis cannot serve tests side by side: leave -n out, or its settings.")
        _stores.close()  # this is pytest-xdist's controller, whose workers inherit the environment
    else:
        config.pluginmanager.import_plugin("tests.support.fixtures")
        config.pluginmanager.import_plugin("tests.support.served")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests of the application in another process, measure no coverage of slow ones, and sort files.

    Tests that use Chromium are there only if it is installed, or if `-m` names their mark: no machine has to have it.

    Coverage doubles the time that a test computes, and other tests cover the code of slow ones. When tests run side by
    side, long files come first.

    Raises:
        pytest.UsageError: A test's id differs between processes, so that none of them would run.
    """
    if named_by_chance := [item.nodeid for item in items if RANDOM.search(item.nodeid)]:
        raise pytest.UsageError(f"Name the parameters of {named_by_chance[0]}: its id is another in each process.")
    if find_chromium() is None and "browser" not in config.getoption("markexpr"):
        items[:] = [item for item in items if not item.get_closest_marker("browser")]
    for item in items:
        if "served_process" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.process)
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.no_cover)
    if hasattr(config, "workerinput"):
        long = {item.path for item in items if LONG & {mark.name for mark in item.iter_markers()}}
        items.sort(key=lambda item: item.path not in long)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Prepare for the first test: start the stores, if one needs them."""
    measure_on_request()
    gc.freeze()  # what was collected stays until the end: to look through it again takes a tenth of the CPU
    needed = any(item.get_closest_marker("unit") is None for item in session.items)
    if needed and not session.config.option.collectonly:
        _stores.start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the output of the test's processes to a failure."""
    report = yield
    if report.failed:
        report.sections += [(f"output of {command}", lines) for command, lines in outputs()]
    return report


def pytest_runtest_logfinish() -> None:
    """Show the next test's processes only."""
    forget_closed()


def pytest_unconfigure() -> None:
    """Stop what was started."""
    _stores.close()
