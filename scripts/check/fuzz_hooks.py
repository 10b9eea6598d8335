"""Loaded by Schemathesis, in its own environment: how it logs in, and a count of the cases.

API is the URL of the application, CASES the file to which each case adds its operation and status.
"""

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import schemathesis  # type: ignore[import-not-found]  # not a dependency of the project

UNAUTHORIZED = 401
FORM = urlencode({"username": "admin", "password": "123456"}).encode()


class Login:
    """Adds an administrator's token, a new one after a response with 401: a case may have ended the session."""

    token = ""

    def get(self, case: Any, context: Any) -> str:
        """Return the access token; logs in if there is none."""
        if not Login.token:
            with urlopen(os.environ["API"] + "/api/v1/auth/login/swagger", FORM) as response:  # noqa: S310 - http
                Login.token = str(json.load(response)["access_token"])
        return Login.token

    def set(self, case: Any, data: str, context: Any) -> None:
        """Add the token to a case."""
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


def after_call(context: Any, case: Any, response: Any) -> None:
    """Count the case, and forget the token if it is refused."""
    sent = response.request.headers.get("Authorization")
    if response.status_code == UNAUTHORIZED and sent == f"Bearer {Login.token}":
        Login.token = ""
    with Path(os.environ["CASES"]).open("a") as file:
        file.write(f"{case.operation.method.upper()} {case.operation.path} {response.status_code}\n")


def filter_query(context: Any, query: Any) -> bool:
    """Leave out targets that the server refuses before they reach an operation."""
    return len(urlencode(query or {}, doseq=True)) < 60_000


schemathesis.auth(refresh_interval=None)(Login)  # it would keep a token that is refused for five minutes
schemathesis.hook(after_call)
schemathesis.hook(filter_query)
