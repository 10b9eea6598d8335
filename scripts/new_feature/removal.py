"""Take a generated feature away again: its files, registrations, table, and the permission codes that nobody needs."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from scripts.new_feature import database
from scripts.new_feature.console import page_of, without_page
from scripts.new_feature.migration import Migration, removing_migration
from scripts.new_feature.noun import Noun, RefusedError
from scripts.new_feature.registration import unregister
from scripts.new_feature.rendering import all_or_nothing, render, tidy
from scripts.new_feature.revision import next_revision
from scripts.new_feature.uses import uses

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
    migration: Migration | None
    """The one that created the table."""


def remove(root: Path, noun: Noun) -> Removal:
    """Remove the feature.

    A migration that is not committed and that none follows is undone and deleted; after any other, a new one drops the
    table.

    Raises:
        RefusedError: There is no such feature, other code uses it, the application does not start without it, or the
            migration cannot be undone; no file was changed.
    """
    written = [path for path in render(noun, next_revision(root)) if not path.startswith("alembic/")]
    files = [path for path in written if (root / path).exists()]
    if not files:
        raise RefusedError(f"There is no feature {noun.singular!r}.")
    migration = Migration.creating(root, noun.plural)
    lists = unregister(root, noun)
    if (root / page_of(noun)).exists():
        files.append(page_of(noun))
        lists |= without_page(root, noun)
    if places := uses(root, noun, files, lists):
        example = " This is the example feature, see docs/new-feature.md." if noun.singular == EXAMPLE else ""
        raise RefusedError(f"{noun.singular!r} is used at {'; '.join(places)}. Remove that first.{example}")
    before = _codes(root)
    with all_or_nothing(root, [*files, *lists, *([migration.path] if migration else [])]):
        for path in files:
            (root / path).unlink()
        for path, text in lists.items():
            (root / path).write_text(text)
        dead = sorted(before - _codes(root))
        if migration is not None and not migration.is_unreleased:
            path, text = removing_migration(root, noun, migration, dead)
            with all_or_nothing(root, [path]):
                (root / path).write_text(text)
                tidy(root, [*lists, path])
            return Removal(files, list(lists), [path], dead, migration)
        tidy(root, list(lists))
        # The database last: what fails before has changed nothing in it.
        if migration is not None:
            database.undo(root, migration)
            (root / migration.path).unlink()
            files.append(migration.path)
        database.forget_codes(dead)
    return Removal(files, list(lists), [], dead, migration)


def _codes(root: Path) -> set[str]:
    """The permission codes of the application as it stands in the files."""
    command = [sys.executable, "-c", SHOW_CODES]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        raise RefusedError(f"The application does not start: {done.stderr.strip().rpartition(chr(10))[2]}.")
    return {line for line in done.stdout.splitlines() if re.match(r"[A-Z]+:", line)}
