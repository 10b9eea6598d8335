"""Call every operation of the OpenAPI document with generated input; exits 1 on a 5xx or an undocumented response.

python -m scripts.check.fuzz SCHEMATHESIS [ARGUMENT...]     starts its own stores and an API process, and stops them
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from scripts.bench.servers import ROOT
from scripts.check.instance import instance
from scripts.local.applications import WEB_LIMITS

CHECKS = ",".join(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    ]
)
UNTHROTTLED = {
    "LOGIN_FAILURES_PER_ACCOUNT": "1000000",
    "LOGIN_FAILURES_PER_ADDRESS": "1000000",
    "REFUSALS_PER_ACCOUNT": "1000000",
    "REFUSALS_PER_ADDRESS": "1000000",
    "RATE_LIMIT_FACTOR": "0",
}


def fuzz(port: int, command: list[str]) -> int:
    """Fuzz with the administrator of a fresh database, and print the cases of each operation; returns the exit code."""
    api = f"http://127.0.0.1:{port}"
    run = [str(Path(command[0]).absolute()), "run", f"{api}/openapi.json", "--checks", CHECKS, *command[1:]]
    with tempfile.TemporaryDirectory() as notes:  # where the tool keeps its files
        cases = Path(notes) / "cases"
        hooks = {"SCHEMATHESIS_HOOKS": "scripts.check.fuzz_hooks", "PYTHONPATH": str(ROOT)}
        environment = {**os.environ, **hooks, "API": api, "CASES": str(cases)}
        code = subprocess.run(run, cwd=notes, env=environment, check=False).returncode  # noqa: S603 - given by the caller
        report(cases.read_text().splitlines())
    return code


def report(cases: list[str]) -> None:
    """Print how many cases each operation got, and with which statuses; the fewest first."""
    statuses: dict[str, Counter[str]] = {}
    for case in cases:
        operation, status = case.rsplit(" ", 1)
        statuses.setdefault(operation, Counter())[status] += 1
    for operation, counter in sorted(statuses.items(), key=lambda item: item[1].total()):
        counts = ", ".join(f"{status}: {count}" for status, count in sorted(counter.items()))
        print(f"{counter.total():6} {operation}  ({counts})")
    print(f"{len(cases)} cases of {len(statuses)} operations.")


def main() -> int:
    """Start stores and a server, fuzz all operations, stop."""
    with instance(WEB_LIMITS, **UNTHROTTLED) as server:
        return fuzz(server.port, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
