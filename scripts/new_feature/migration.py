import ast
import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from alembic.script import Script

from scripts.new_feature.noun import Noun
from scripts.new_feature.revision import next_revision, scripts

REMOVAL = '''\
"""remove {many}

Revision: {revision}
Follows: {follows}
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "{revision}"
down_revision: str | Sequence[str] | None = {down_revision}
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# No route or event has these permission codes any more.
DEAD_CODES: list[str] = {codes}


def upgrade() -> None:
    """Apply."""
    op.execute(
        sa.text("{statement}").bindparams(
            sa.bindparam("dead", DEAD_CODES, type_=sa.ARRAY(sa.Text))
        )
    )
{upgrade}


def downgrade() -> None:
    """Undo; roles do not get the codes back."""
{downgrade}
'''
FORGET_CODES = (
    "UPDATE roles SET version = version + 1, interface_permissions = ARRAY("
    "SELECT code FROM unnest(interface_permissions) WITH ORDINALITY AS held (code, place)"
    " WHERE code <> ALL ({dead}) ORDER BY place) WHERE interface_permissions && {dead}"
)
"""Takes permission codes out of all roles; `dead` is the place of a text array."""


@dataclass(frozen=True)
class Migration:
    """The migration that creates a feature's table."""

    path: str
    script: Script
    is_unreleased: bool
    """Git does not know it, and none follows it."""
    later: list[str]
    """The paths of those that name the table after it, in their order."""

    @classmethod
    def creating(cls, root: Path, table: str) -> Self | None:
        """The one that creates the table, if there is any."""
        later: list[str] = []
        for script in scripts(root).walk_revisions():
            file = Path(script.path)
            path, text = str(file.relative_to(root)), file.read_text()
            if f'create_table(\n        "{table}"' in text:
                return cls(path, script, script.is_head and not _is_committed(root, path), later[::-1])
            if f'"{table}"' in text:
                later.append(path)
        return None

    def body(self, function: str) -> str:
        """The statements of one of its functions, without the docstring."""
        source = Path(self.script.path).read_text()
        (definition,) = [
            node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == function
        ]
        statements = [node for node in definition.body if not _is_docstring(node)]
        first, last = statements[0].lineno - 1, statements[-1].end_lineno
        return textwrap.dedent("\n".join(source.splitlines()[first:last]))


def removing_migration(root: Path, noun: Noun, migration: Migration, codes: list[str]) -> tuple[str, str]:
    """The path and the text of a migration that drops the table, and takes the codes out of all roles."""
    revision = next_revision(root)
    text = REMOVAL.format(
        many=noun.spellings()["many"],
        codes=codes,
        statement=FORGET_CODES.format(dead=":dead"),
        upgrade=textwrap.indent(migration.body("downgrade"), "    "),
        downgrade=textwrap.indent(migration.body("upgrade"), "    "),
        **revision,
    )
    return f"alembic/versions/{revision['moment']}_remove_{noun.plural}.py", text


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_committed(root: Path, path: str) -> bool:
    command = ["git", "ls-files", "--error-unmatch", path]
    return subprocess.run(command, cwd=root, capture_output=True, check=False).returncode == 0  # noqa: S603 - fixed
