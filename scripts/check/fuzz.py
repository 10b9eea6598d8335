"""Call every operation of the OpenAPI document with generated input; exits 1 on a 5xx or an undocumented response.

python -m scripts.check.fuzz SCHEMATHESIS [ARGUMENT...]     starts its own stores and an API process, and stops them
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

from scripts.check.instance import instance

# These may end the session that all requests use, so they come last.
ENDING = r"/auth/(logout|sessions|password|token|login)|/users/\{userId\}/(password|status|roles)"
CHECKS = ",".join(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    ]
)
UNTHROTTLED = {"LOGIN_FAILURES_PER_ACCOUNT": "1000000", "LOGIN_FAILURES_PER_ADDRESS": "1000000"}


def fuzz(port: int, command: list[str]) -> int:
    """Log in as the administrator of a fresh database and fuzz with that token; returns the higher exit code."""
    api = f"http://127.0.0.1:{port}"
    form = {"username": "admin", "password": "123456"}
    token = httpx.post(f"{api}/api/v1/auth/login/swagger", data=form).json()["access_token"]
    fixed = ["run", f"{api}/openapi.json", "-H", f"Authorization: Bearer {token}", "--checks", CHECKS]
    parts = [["--exclude-path-regex", ENDING], ["--include-path-regex", ENDING]]
    runs = [[str(Path(command[0]).absolute()), *fixed, *part, *command[1:]] for part in parts]
    with tempfile.TemporaryDirectory() as notes:  # where the tool keeps its files
        return max(subprocess.run(run, cwd=notes, check=False).returncode for run in runs)  # noqa: S603 - given by the caller


def main() -> int:
    """Start stores and a server, fuzz all operations, stop."""
    with instance(**UNTHROTTLED) as server:
        return fuzz(server.port, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
