"""Take a generated feature away again: its files, registrations, table, and the permission codes that nobody needs."""

import ast
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from scripts.new_feature import database
from scripts.new_feature.console import page_of, without_page
from scripts.new_feature.migration import Migration, removing_migration
from scripts.new_feature.noun import Noun, RefusedError
from scripts.new_feature.registration import ENTRIES, unregister
from scripts.new_feature.rendering import render, tidy
from scripts.new_feature.revision import next_revision

EXAMPLE = "notice"
SHOW_CODES = """from src.main import rest
known = rest.state.registry
print(*(entry.code for entry in known.routes + known.permissions), sep="\\n")"""


@dataclass(frozen=True)
class Removal:
    """What was done."""

    deleted: list[str]
    changed: list[str]
    written: list[str]
    codes: list[str]
    """The permission codes that exist no longer."""


def remove(root: Path, noun: Noun) -> Removal:
    """Remove the feature.

    A migration that is not committed and that none follows is undone and deleted; after any other, a new one drops the
    table.

    Raises:
        RefusedError: There is no such feature, or other code imports it; nothing was changed.
    """
    written = [path for path in render(noun, next_revision(root)) if not path.startswith("alembic/")]
    files = [path for path in written if (root / path).exists()]
    if not files:
        raise RefusedError(f"There is no feature {noun.singular!r}.")
    _refuse_importers(root, noun, files)
    migration = Migration.creating(root, noun.plural)
    lists = unregister(root, noun)
    if (root / page_of(noun)).exists():
        files.append(page_of(noun))
        lists |= without_page(root, noun)
    before = _codes(root)
    if migration is not None and migration.is_unreleased:
        database.undo(root, migration)
    for path in files:
        (root / path).unlink()
    for path, text in lists.items():
        (root / path).write_text(text)
    tidy(root, list(lists))
    dead = sorted(before - _codes(root))
    if migration is None or migration.is_unreleased:
        database.forget_codes(dead)
        deleted = [migration.path] if migration else []
        for path in deleted:
            (root / path).unlink()
        return Removal([*files, *deleted], list(lists), [], dead)
    path, text = removing_migration(root, noun, migration, dead)
    (root / path).write_text(text)
    tidy(root, [path])
    return Removal(files, list(lists), [path], dead)


def _refuse_importers(root: Path, noun: Noun, files: list[str]) -> None:
    modules = {path.removesuffix(".py").replace("/", ".") for path in files}
    lists = {entry.file for entry in ENTRIES}
    importers = []
    for file in sorted([*root.glob("src/**/*.py"), *root.glob("tests/**/*.py"), *root.glob("scripts/**/*.py")]):
        path = str(file.relative_to(root))
        if path not in files and path not in lists and modules & _imports(file.read_text()):
            importers.append(path)
    if importers:
        example = " This is the example feature, see docs/new-feature.md." if noun.singular == EXAMPLE else ""
        raise RefusedError(f"{noun.singular!r} is imported by {', '.join(importers)}: remove it there first.{example}")


def _imports(source: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ImportFrom(module=str(module), names=aliases):
                names |= {module, *(f"{module}.{alias.name}" for alias in aliases)}
            case ast.Import(names=aliases):
                names |= {alias.name for alias in aliases}
    return names


def _codes(root: Path) -> set[str]:
    """The permission codes of the application as it stands in the files."""
    command = [sys.executable, "-c", SHOW_CODES]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        raise RefusedError(f"The application does not start: {done.stderr.strip().rpartition(chr(10))[2]}.")
    return {line for line in done.stdout.splitlines() if re.match(r"[A-Z]+:", line)}
