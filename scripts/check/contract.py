"""Fails if the API or its events changed since the main branch, and CHANGELOG.md does not say so.

A change that breaks clients needs the word BREAKING there. Without Git, or without a main branch, nothing is compared.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from src.manage.documents import ASYNCAPI, OPENAPI, ROOT, without_prose

Document = dict[str, Any]

MAIN = ("origin/main", "main")
CHANGELOG = "CHANGELOG.md"


def breaks(old: Document, new: Document) -> Iterator[str]:
    """What clients of the old document miss in the new one, or have to add to their requests."""
    for kind, of in (("operation", _operations), ("event", _events), ("property", _properties)):
        for name in sorted(of(old) - of(new)):
            yield f"{kind} {name} is gone"
    for name in sorted(_required(new) - _required(old)):
        if name.partition(".")[0] in _schemas(old):
            yield f"property {name} is required"


def problem(name: str, old: Document, new: Document, added: str) -> str | None:
    """What is wrong with a document that changed; `added` are the new lines of the changelog."""
    if without_prose(old) == without_prose(new):
        return None
    if not added:
        return f"{name} has changed: describe the change in {CHANGELOG}."
    broken = list(breaks(old, new))
    if broken and "BREAKING" not in added:
        return f"{name} breaks clients ({'; '.join(broken)}): write BREAKING and what they have to do in {CHANGELOG}."
    return None


def _operations(document: Document) -> set[str]:
    return {f"{method.upper()} {path}" for path, item in document.get("paths", {}).items() for method in item}


def _events(document: Document) -> set[str]:
    return set(document.get("channels", {}))


def _schemas(document: Document) -> Mapping[str, Document]:
    schemas: Mapping[str, Document] = document["components"]["schemas"]
    return schemas


def _properties(document: Document) -> set[str]:
    return {f"{name}.{key}" for name, schema in _schemas(document).items() for key in schema.get("properties", ())}


def _required(document: Document) -> set[str]:
    """The required properties of request bodies."""
    bodies = [
        content["schema"].get("$ref", "").rpartition("/")[2]
        for item in document.get("paths", {}).values()
        for operation in item.values()
        for content in operation.get("requestBody", {}).get("content", {}).values()
    ]
    return {f"{name}.{key}" for name in bodies if name for key in _schemas(document)[name].get("required", ())}


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
