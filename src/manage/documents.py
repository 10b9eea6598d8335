"""`manage.sh openapi` and `manage.sh asyncapi`: the documents of the API, and their snapshots in the tests."""

import json
import os
import sys
from copy import copy
from difflib import unified_diff
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import SecretStr

from src.manage.placeholders import use_placeholders

if TYPE_CHECKING:
    from fastapi import FastAPI

    from src.core.config import Settings

ROOT = Path(__file__).resolve().parents[2]
OPENAPI = ROOT / "tests/api/openapi.json"
ASYNCAPI = ROOT / "tests/websockets/asyncapi/asyncapi.json"
SHOWN_LINES = 40

Check = Annotated[bool, typer.Option("--check", help="Write nothing; fail if the snapshot differs.")]
Output = Annotated[str, typer.Option(help="Write to this file instead of the snapshot; - prints.")]


def write_openapi(check: Check = False, output: Output = "") -> None:
    """Write the OpenAPI document, or compare it with its snapshot."""
    handle(openapi(), OPENAPI, "openapi", check=check, output=output)


def write_asyncapi(check: Check = False, output: Output = "") -> None:
    """Write the AsyncAPI document, or compare it with its snapshot."""
    handle(asyncapi(), ASYNCAPI, "asyncapi", check=check, output=output)


def openapi() -> dict[str, Any]:
    """The OpenAPI document, as a debug environment serves it in which everything is switched on."""
    return application().openapi()


@cache
def application() -> "FastAPI":
    """The application with all routes that settings switch on: clients are generated for any of its environments."""
    compose()
    from src.core.config import settings
    from src.main import create_app, server

    return create_app(with_everything(settings), server)


def with_everything(settings: "Settings") -> "Settings":
    """A copy of the settings in which everything is switched on that has routes."""
    from src.core.config.identity.oidc import OidcProviderSettings

    example = "https://shop.example"
    changes: dict[str, dict[str, Any]] = {
        "auth": {
            **dict.fromkeys(("registration_enabled", "api_keys_enabled", "devices_enabled", "act_as_enabled"), True),
            **dict.fromkeys(("export_days", "deletion_days"), 7),
        },
        "factors": {"enabled_setting": True},
        "email": {
            "smtp_url": SecretStr("smtp://localhost"),
            "sender": "a@shop.example",
            "link_url": example,
            "caught_directory": Path("mails"),
        },
        "oidc": {"providers": {"test": OidcProviderSettings(issuer=example, client_id="shop")}, "public_url": example},
    }
    changed = copy(settings)
    for group, values in changes.items():
        setattr(changed, group, getattr(settings, group).model_copy(update=values))
    return changed


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI document."""
    compose()
    from src.core.config import settings
    from src.main import server
    from src.websockets.app import describe

    return describe(server, settings)


def compose() -> None:
    """Prepare the environment in which `src.main` is imported."""
    use_placeholders()
    os.environ["ENVIRONMENT"] = "TESTING"


def handle(document: dict[str, Any], snapshot: Path, command: str, *, check: bool, output: str) -> None:
    """Check, print or write a document."""
    if check:
        compare(document, snapshot, command)
    elif output == "-":
        sys.stdout.write(as_text(document))
    else:
        file = Path(output) if output else snapshot
        try:
            file.write_text(as_text(document))
        except OSError as error:
            sys.exit(f"Cannot write {file}: {error.strerror}. Name another file with --output.")
        print(f"Wrote {file}.")


def compare(document: dict[str, Any], snapshot: Path, command: str) -> None:
    """Print the first differences to the snapshot, and fail if there are any; descriptions are not compared."""
    name = snapshot.relative_to(ROOT)
    if not snapshot.exists():
        sys.exit(f"There is no {name} here. In a clone, write it with scripts/manage.sh {command}.")
    kept, text = (as_text(without_prose(each)) for each in (json.loads(snapshot.read_text()), document))
    if kept == text:
        print(f"{name} is up to date.")
        return
    difference = unified_diff(kept.splitlines(), text.splitlines(), str(name), "now", lineterm="")
    print(*islice(difference, SHOWN_LINES), sep="\n")
    sys.exit(f"{name} is out of date. Read the change, then run scripts/manage.sh {command}.")


def as_text(document: Any) -> str:
    """The text of a document, as in its snapshot."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def without_prose(node: Any) -> Any:
    """A copy of a document without its descriptions and summaries: programs do not depend on them."""
    if isinstance(node, list):
        return [without_prose(item) for item in node]
    if not isinstance(node, dict):
        return node
    is_prose = {name: name in ("description", "summary") and isinstance(value, str) for name, value in node.items()}
    return {name: without_prose(value) for name, value in node.items() if not is_prose[name]}
