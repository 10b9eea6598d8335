"""A feature's migration among the others; no database is asked."""

from datetime import UTC, datetime
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import rev_id


def next_revision(root: Path) -> dict[str, str]:
    """The template variables of a new migration: it follows the last one, or joins the last ones of all branches."""
    heads = scripts(root).get_heads()
    return {
        "revision": rev_id(),
        "moment": f"{datetime.now(UTC):%Y%m%d_%H%M}",
        "follows": ", ".join(heads),
        "down_revision": repr(heads[0] if len(heads) == 1 else tuple(heads)),
    }


def scripts(root: Path) -> ScriptDirectory:
    """The migrations of a project."""
    config = Config(root / "alembic.ini")
    config.set_main_option("script_location", str(root / "alembic"))
    return ScriptDirectory.from_config(config)
