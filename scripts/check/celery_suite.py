"""Celery's own integration suite with our application: exits 1 if a test fails that Celery itself passes.

python -m scripts.check.celery_suite CHECKOUT [--forms prefork-bulk …] [--coroutines] [--tests test_tasks.py …]

CHECKOUT is a clone of https://github.com/celery/celery, of about the version that is installed. Each form, a pool and a
transport, runs the whole suite beside the others, with a Redis server of its own. With `--coroutines` the suite's tasks
become `async def`. docs/internals/broker.md explains the exceptions.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
CELERY = "celery"
FORMS = "prefork-stock", "prefork-bulk", "asyncio-stock", "asyncio-bulk"
# They need other servers, or start workers of applications of their own.
LEFT_OUT = "test_database_backend.py", "test_mem_leak_in_exception_handling.py", "test_backend.py"
OPTIONS = "-q", "-W", "ignore", "-c", os.devnull, "--rootdir", ".", "-p", "no:cacheprovider", "-p", "no:xdist"
PLUGINS = "-p", "celery.contrib.pytest", "-p", "scripts.check.celery_suite_plugin"
# Tests that may fail with our application; docs/internals/broker.md says why.
EXCEPTIONS = {
    "test_asyncresult_get_cancels_subscription",
    "test_asyncresult_forget_cancels_subscription",
    "test_chord_soft_timeout_recuperation",
    "test_replaced_task_nesting_level_0",
    "test_scheduled",
}
WITH_COROUTINES = {"test_simple_call"}


def copy_suite(checkout: Path, directory: Path, *, coroutines: bool) -> None:
    """Copy the suite, without tests that need other servers."""
    shutil.copytree(checkout / "t" / "integration", directory / "t" / "integration")
    (directory / "t" / "__init__.py").touch()
    tasks = directory / "t" / "integration" / "tasks.py"
    # The tests wait ten seconds for messages that must not come; since version 8, redis-py gives up after five.
    source = tasks.read_text().replace("port=port)", "port=port, socket_timeout=None)")
    tasks.write_text(as_coroutines(source) if coroutines else source)
    for name in LEFT_OUT:
        (directory / "t" / "integration" / name).unlink(missing_ok=True)


def as_coroutines(source: str) -> str:
    """The suite's tasks as coroutine functions, which wait for what they call."""
    source = re.sub(r"(@(?:shared_task|app\.task)\b[^@]*?\n *)def ", r"\1async def ", source)
    source = re.sub(r"(?m)^( +)sleep\(", r"\1await asyncio.sleep(", source)
    source = re.sub(r"(?m)^( +)(redis_count\(request)", r"\1await \2", source)
    return f"import asyncio\n{source}"


def start(form: str, port: int, directory: Path, tests: list[str]) -> subprocess.Popen[bytes]:
    """Start pytest on a copy of the suite."""
    redis = f"redis://localhost:{port}/0"
    servers = {"REDIS_HOST": "localhost", "REDIS_PORT": str(port), "TEST_BROKER": redis, "TEST_BACKEND": redis}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # some tests run `celery`
    variables = {"SUITE_FORM": form, "SUITE_REDIS": redis, "PYTHONPATH": f"{ROOT}{os.pathsep}.", "PATH": path}
    command = [sys.executable, "-m", "pytest", *OPTIONS, *PLUGINS, "-o", "python_classes=test_*"]
    with (directory / "pytest.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - our own
            [*command, "--junitxml", "report.xml", "--tb", "native", *(f"t/integration/{name}" for name in tests)],
            cwd=directory,
            env=os.environ | servers | variables,
            stdout=log,
            stderr=log,
        )


def outcomes(directory: Path) -> dict[str, str]:
    """The outcome of each test: passed, failed, error, or skipped; a test has failed if one of its subtests has."""
    found: dict[str, str] = {}
    for case in ElementTree.parse(directory / "report.xml").iter("testcase"):  # noqa: S314 - written by pytest
        name = f"{case.get('classname', '').removeprefix('t.integration.')}::{case.get('name')}"
        ends = [kind for kind in ("failure", "error", "skipped") if case.find(kind) is not None]
        if ends or name not in found:
            found[name] = ends[0] if ends else "passed"
    return found


def check(options: argparse.Namespace, directory: Path) -> list[str]:
    """Run the suite in all forms; returns the tests, each with its form, that Celery passes and the form does not."""
    from tests.queues.restartable import RestartableRedis

    forms = [CELERY, *options.forms]
    with ExitStack() as stack:
        running = {}
        for form in forms:
            copy_suite(options.checkout, directory / form, coroutines=options.coroutines and form != CELERY)
            redis = stack.enter_context(RestartableRedis(directory / form))
            running[form] = start(form, redis.port, directory / form, options.tests)
            stack.callback(running[form].wait)
            stack.callback(running[form].terminate)
        for form, process in running.items():
            process.wait()
            *_, summary = (directory / form / "pytest.log").read_text(errors="replace").splitlines()
            print(f"{form}: {summary}", flush=True)
    expected, *_ = found = [outcomes(directory / form) for form in forms]
    print(f"failed with {CELERY}:", *sorted(name for name, end in expected.items() if end != "passed"), sep="\n  ")
    passed = {name for name, end in expected.items() if end == "passed"}
    return [
        f"{form} {name}: {ends.get(name)}"
        for form, ends in zip(options.forms, found[1:], strict=True)
        for name in sorted(passed)
        if ends.get(name) != "passed"
    ]


def main() -> None:
    """Run, compare, and print the differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--forms", nargs="*", default=FORMS, choices=FORMS)
    parser.add_argument("--coroutines", action="store_true", help="the suite's tasks are `async def`")
    parser.add_argument("--tests", nargs="*", default=[""], help="files or tests in t/integration")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="celery-suite-"))
    print(f"logs: {directory}/*/pytest.log", flush=True)
    differences = check(options, directory)
    expected = EXCEPTIONS | (WITH_COROUTINES if options.coroutines else set())
    unexplained = [line for line in differences if line.rpartition(":")[0].rpartition("::")[2] not in expected]
    print("passed with Celery only:", *differences, sep="\n  ")
    sys.exit(bool(unexplained))


if __name__ == "__main__":
    main()
