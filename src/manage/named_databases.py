"""The databases of `SQL_DATABASES` that are this product's: PostgreSQL, with models and migrations of their own."""

from sqlmodel import SQLModel

import src.models
from src.core.resources import Resources

assert src.models.__all__  # noqa: S101 - the import fills the metadata


def named_databases(resources: Resources) -> dict[str, list[str]]:
    """The tables of the models in each of these databases, by its name."""
    tables: dict[str, list[str]] = {}
    for table in SQLModel.metadata.tables.values():
        tables.setdefault(table.info.get("database", ""), []).append(table.name)
    databases = sorted(resources.databases.items())
    return {name: tables[name] for name, it in databases if it.engine.name == "postgresql" and name in tables}
