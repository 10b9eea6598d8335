import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

Directory = Annotated[Path, typer.Argument(help="Contains one backup.", file_okay=False)]
MANIFEST = "manifest.json"


def back_up(directory: Directory) -> None:
    """Copy the contents of all stores into a new directory; API, worker and beat may be running."""
    from src.manage.stores import run

    if directory.exists() and any(directory.iterdir()):
        sys.exit(f"{directory} is not empty.")
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    run(_back_up(directory))


def restore(directory: Directory) -> None:
    """Fill empty stores with a backup, at its migration; stop API, worker and beat first. Refuses what is not empty."""
    from alembic.config import main as alembic

    from src.manage.stores import run

    try:
        manifest = json.loads((directory / MANIFEST).read_text())
    except (OSError, ValueError):
        sys.exit(f"{directory} contains no complete backup: it has no {MANIFEST}.")
    manifest.setdefault("databases", {})  # older backups have none
    run(_require_empty(manifest["databases"]))
    alembic(["upgrade", *manifest["postgresql"]["revisions"]])
    for name, database in manifest["databases"].items():
        alembic(["-n", name, "upgrade", *database["revisions"]])
    run(_restore(directory, manifest))
    print("Run scripts/alembic/migrate.sh and scripts/initdb.sh, and start API, worker and beat.")


async def _back_up(directory: Path) -> None:
    from src.manage.backup import mongodb, postgresql, redis, s3
    from src.manage.named_databases import named_databases
    from src.manage.stores import open_stores
    from src.utils.date import utc_now

    async with open_stores() as resources:
        manifest: dict[str, Any] = {"begun": utc_now().isoformat()}
        manifest["postgresql"] = await postgresql.dump(resources.engine, directory / "postgresql")
        named = {
            name: await postgresql.dump(resources.databases[name].engine, directory / "databases" / name, tables)
            for name, tables in named_databases(resources).items()
        }
        manifest["databases"] = {name: database for name, database in named.items() if database["revisions"]}
        manifest["mongodb"] = await mongodb.dump(resources, directory / "mongodb")
        manifest["redis"] = await redis.dump(resources, directory)
        manifest["s3"] = await s3.dump(resources, directory / "s3")
        manifest["ended"] = utc_now().isoformat()
        if others := sorted(resources.databases.keys() - manifest["databases"]):
            print(f"Not copied, since they have no migrations of this code: {', '.join(others)}.")
    # Last, so that it is part of complete backups alone.
    (directory / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    print(f"{directory}: {_summary(manifest)}.")


async def _require_empty(databases: dict[str, Any]) -> None:
    from src.manage.backup import mongodb, postgresql, redis, s3
    from src.manage.stores import open_stores

    others: dict[str, Any] = {"MongoDB": mongodb, "Redis": redis, "S3": s3}
    async with open_stores(schema=False) as resources:
        if missing := sorted(databases.keys() - resources.databases):
            sys.exit(f"Nothing was restored: SQL_DATABASES has no {', '.join(missing)}.")
        empty = {"PostgreSQL": await postgresql.is_empty(resources.engine)}
        for name, database in databases.items():
            empty[name] = await postgresql.is_empty(resources.databases[name].engine, database["tables"])
        empty |= {store: await module.is_empty(resources) for store, module in others.items()}
    if filled := [name for name, is_empty in empty.items() if not is_empty]:
        sys.exit(f"Nothing was restored: {', '.join(filled)} not empty.")


async def _restore(directory: Path, manifest: dict[str, Any]) -> None:
    from src.manage.backup import mongodb, postgresql, redis, s3
    from src.manage.stores import open_stores

    async with open_stores(schema=False) as resources:
        await postgresql.load(resources.engine, directory / "postgresql", manifest["postgresql"])
        for name, database in manifest["databases"].items():
            await postgresql.load(resources.databases[name].engine, directory / "databases" / name, database)
        await mongodb.load(resources, directory / "mongodb")
        await redis.load(resources, directory)
        await s3.load(resources, directory / "s3")
    begun = datetime.fromisoformat(manifest["begun"])
    print(f"Restored as of {begun:%Y-%m-%d %H:%M:%S %Z}: {_summary(manifest)}.")


def _summary(manifest: dict[str, Any]) -> str:
    databases = manifest["postgresql"], *manifest["databases"].values()
    rows = sum(table["rows"] for database in databases for table in database["tables"].values())
    documents, keys = sum(manifest["mongodb"].values()), sum(manifest["redis"].values())
    return f"{rows} rows, {documents} documents, {keys} Redis keys, {manifest['s3']} files"
