"""Writes docs/reference from the code: `python -m scripts.reference`.

With `--check` it writes nothing, and fails if a page differs; with `--documents` it writes the snapshots of the
OpenAPI and AsyncAPI documents first.
"""

import importlib
import inspect
import json
import pkgutil
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from src.manage import documents

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs/reference"
PREFIX = "/api/v1"
METHODS = ("get", "post", "put", "patch", "delete", "head")
NOTE = "<!-- written by python -m scripts.reference -->"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown; line breaks and bars in cells are replaced."""
    cells = [tuple(head), *(tuple(row) for row in rows)]
    cells.insert(1, ("---",) * len(cells[0]))
    return "\n".join(
        f"| {' | '.join(cell.replace(chr(10), ' ').replace('|', chr(92) + '|') for cell in row)} |" for row in cells
    )


def document(name: str) -> dict[str, Any]:
    """The snapshot of an API document, which a test compares with the code."""
    path = {"openapi": "tests/api/openapi.json", "asyncapi": "tests/websockets/asyncapi/asyncapi.json"}[name]
    loaded: dict[str, Any] = json.loads((ROOT / path).read_text())
    return loaded


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and operation of each route."""
    for path, methods in document("openapi")["paths"].items():
        for method in METHODS:
            if method in methods:
                yield method.upper(), path, methods[method]


def routes() -> str:
    """Every route, by its group."""
    registry = documents.application().state.registry
    groups: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for method, path, operation in operations():
        access = registry.access_to(f"{method}:{path}") or "public"
        summary = operation.get("description", operation.get("summary", "")).partition("\n")[0]
        groups[(operation.get("tags") or ["Other"])[0]].append((f"`{method} {path}`", str(access), summary))
    parts = [f"## {group}\n\n{table(('route', 'callers', 'what it does'), rows)}" for group, rows in groups.items()]
    return "\n\n".join(
        [
            "# Routes",
            "`permission`: the caller holds the code of the route, such as `GET:/api/v1/users`. `any login`: a live "
            "session suffices. Bodies, parameters and responses are at `/docs`. Routes that exist only where settings "
            "switch them on are among them: [identity](../identity.md) says by which.",
            *parts,
        ]
    )


def events() -> str:
    """Every Socket.IO event."""
    spec, registry = document("asyncapi"), documents.application().state.registry
    rows = []
    for operation in spec["operations"].values():
        name, from_client = operation["title"], operation["action"] == "receive"
        messages = spec["channels"][name]["messages"]
        payload, ack = (_shape(messages.get(key, {}), spec) for key in ("request" if from_client else "event", "ack"))
        access = registry.access_to(f"SOCKET:{name}") if from_client else ""
        sender = "client" if from_client else "server"
        rows.append((f"`{name}`", sender, payload, ack, str(access), operation.get("summary", "")))
    head = ("event", "from", "payload", "ack", "callers", "what it does")
    text = (
        "`?` marks fields that may be left out. `/asyncapi` shows payloads and acks with all fields. Who receives "
        "events, guarantees and error codes: [Socket.IO](../sockets.md)."
    )
    return f"# Events\n\n{text}\n\n{table(head, sorted(rows))}"


def _shape(message: dict[str, Any], spec: dict[str, Any]) -> str:
    """The fields of a payload if they are few, else the name of its type."""
    payload = message.get("payload", {})
    name = payload.get("$ref", "").rpartition("/")[2]
    schema = spec["components"]["schemas"].get(name, {})
    fields = [field if field in schema.get("required", ()) else f"{field}?" for field in schema.get("properties", ())]
    shown = f"{{{', '.join(fields)}}}" if 0 < len(fields) <= 5 else name or payload.get("type", "")
    return f"`{shown}`" if shown else ""


def _errors(value: Any) -> Iterator[tuple[str, str, int]]:
    if isinstance(value, dict):
        if isinstance(value.get("error"), str) and "code" in value:
            yield value["error"], str(value.get("message", "")), int(value["code"])
        for item in value.values():
            yield from _errors(item)
    elif isinstance(value, list):
        for item in value:
            yield from _errors(item)


def errors() -> str:
    """Every error name that a route declares."""
    spec = document("openapi")
    found = {name: (status, message) for name, message, status in sorted(_errors(spec))}
    used: dict[str, set[str]] = defaultdict(set)
    for method, path, operation in operations():
        for response in operation.get("responses", {}).values():
            for name, _, _ in _errors(response):
                used[name].add(f"`{method} {path.removeprefix(PREFIX)}`")
    rows = [
        (f"`{name}`", str(status), message, ", ".join(sorted(used[name])) if len(used[name]) < 4 else "several")
        for name, (status, message) in found.items()
    ]
    text = (
        "`error` of a response, and of a Socket.IO `error` event, does not change; the message may. Errors without a "
        "route here can happen at many."
    )
    return f"# Errors\n\n{text}\n\n{table(('error', 'status', 'message', 'declared by'), rows)}"


def permissions() -> str:
    """Every code that a role can grant."""
    registry = documents.application().state.registry
    rows = [(f"`{route.code}`", route.description) for route in registry.grantable]
    text = "Roles grant these codes; administrators hold all. `GET /api/v1/router/backend` lists them at run time."
    return f"# Permissions\n\n{text}\n\n{table(('code', 'allows'), sorted(rows))}"


def metrics() -> str:
    """Every metric that the code declares."""
    from prometheus_client import REGISTRY

    own = re.compile(r"""(?:Counter|Gauge|Histogram|Summary)\(\s*["']([a-z_]+)["']""")
    declared = set()
    for file in sorted((ROOT / "src").rglob("*.py")):
        if names := own.findall(file.read_text()):
            declared |= {name.removesuffix("_total") for name in names}
            importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
    rows = []
    for collector in set(REGISTRY._names_to_collectors.values()):
        name, labels = getattr(collector, "_name", ""), getattr(collector, "_labelnames", ())
        if name in declared:
            shown = ", ".join(f"`{label}`" for label in labels)
            rows.append(
                (
                    f"`{name}`",
                    str(getattr(collector, "_type", "")),
                    shown,
                    str(getattr(collector, "_documentation", "")),
                )
            )
    head = ("metric", "type", "labels", "meaning")
    text = (
        "Counters end in `_total` at `/metrics`, histograms in `_bucket`, `_sum` and `_count`. "
        "[Observability](../observability.md) says who serves which, and who may read them."
    )
    return f"# Metrics\n\n{text}\n\n{table(head, sorted(rows))}"


def commands() -> str:
    """The commands of manage.sh, and the scripts."""
    from src.manage.__main__ import app
    from src.manage.users import app as users

    rows = [
        (f"`./scripts/manage.sh {prefix}{command.name or command.callback.__name__}`", first_line(command.callback))
        for prefix, part in (("", app), ("user ", users))
        for command in part.registered_commands
        if command.callback
    ]
    scripts = []
    for folder in ("scripts", "scripts/alembic", "scripts/check"):
        for script in sorted((ROOT / folder).glob("*.sh")):
            comment = re.search(r"^# (.+(?:\n# \S.*)*)", script.read_text(), re.MULTILINE)
            text = re.sub(r"\n# *", " ", comment[1]) if comment else ""
            scripts.append((f"`./{folder}/{script.name}`", re.sub(r"(?<=\.) .*", "", text)))
    return (
        "# Commands\n\n## manage.sh\n\nWith `--help`, each command tells its options.\n\n"
        f"{table(('command', 'what it does'), sorted(rows))}\n\n"
        f"## Scripts\n\n{table(('script', 'what it does'), scripts)}"
    )


def first_line(function: Any) -> str:
    """The first line of a docstring."""
    return (inspect.getdoc(function) or "").partition("\n")[0]


def dependencies() -> str:
    """Every dependency that handlers can have."""
    import src.deps

    rows = []
    for module in pkgutil.iter_modules(src.deps.__path__):
        names = vars(importlib.import_module(f"src.deps.{module.name}"))
        source = (ROOT / f"src/deps/{module.name}.py").read_text()
        for name, alias in names.items():
            marks = [mark for mark in get_args(alias) if hasattr(mark, "dependency")] if get_origin(alias) else []
            if marks and re.search(rf"^{name}\b", source, re.MULTILINE):
                type_ = get_args(alias)[0]
                given = getattr(type_, "__name__", None) or re.sub(r"(\w+\.)+(?=\w)", "", str(type_))
                rows.append(
                    (f"`{name}`", f"`src/deps/{module.name}.py`", f"`{given}`", first_line(marks[0].dependency))
                )
    text = (
        "They mean the same in routes, Socket.IO events and tasks. A dependency is the annotation of a parameter: "
        "`async def handler(uow: UnitOfWorkDep)`."
    )
    return f"# Dependencies\n\n{text}\n\n{table(('name', 'from', 'type', 'gives'), sorted(rows))}"


def index() -> str:
    """The list of these pages."""
    pages = [
        (f"[{page.capitalize()}]({page}.md)", first_line(write)) for page, write in PAGES.items() if page != "README"
    ]
    others = [
        ("[Settings](../configuration.md)", "Every setting, with its default."),
        ("[Redis keys](../reference.md)", "Every key in Redis."),
        ("[Glossary](../glossary.md)", "Our own terms."),
        ("[Changelog](../../CHANGELOG.md)", "What changed, by version."),
    ]
    text = "Written by `python -m scripts.reference` from the code; a test compares."
    return f"# Reference\n\n{text}\n\n{table(('page', 'what it lists'), [*pages, *others])}"


PAGES = {
    "README": index,
    "routes": routes,
    "events": events,
    "errors": errors,
    "permissions": permissions,
    "metrics": metrics,
    "commands": commands,
    "dependencies": dependencies,
}


def pages() -> dict[Path, str]:
    """The text of each page."""
    documents.compose()
    return {FOLDER / f"{name}.md": f"{write()}\n\n{NOTE}\n" for name, write in PAGES.items()}


def outdated() -> list[str]:
    """The pages that differ from the code."""
    return [page.name for page, text in pages().items() if not page.exists() or page.read_text() != text]


def main() -> str | None:
    """Write or compare; returns what is wrong, for `sys.exit`."""
    if "--check" in sys.argv:
        old = outdated()
        return f"Run python -m scripts.reference: {', '.join(old)} differ from the code." if old else None
    if "--documents" in sys.argv:
        documents.write_openapi()
        documents.write_asyncapi()
    if FOLDER.exists():
        for page, text in pages().items():
            page.write_text(text)
        print(f"Wrote {len(PAGES)} pages to {FOLDER}.")
    return None


if __name__ == "__main__":
    sys.exit(main())
