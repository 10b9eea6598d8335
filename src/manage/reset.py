"""`manage.sh reset`: empty stores, with the schema and the initial data of this code."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from src.core.config import Settings
    from src.core.resources import Resources


def erase_data(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase all data, then migrate and run initdb. Asks first; refuses where ENVIRONMENT is deployed."""
    from src.core.config import settings

    if settings.ENVIRONMENT.is_deployed:
        sys.exit(f"Refused: ENVIRONMENT is {settings.ENVIRONMENT}, and a deployed environment is never erased.")
    print("This erases", *targets(settings), sep="\n  ")
    if not yes and not is_confirmed():
        sys.exit("Nothing was erased.")
    from alembic.config import main as alembic

    from src import initdb
    from src.manage.stores import run

    run(erase())
    alembic(["upgrade", "head"])
    run(initdb.main())
    print("Restart API, worker and beat where they are running.")


def is_confirmed() -> bool:
    """Ask whether to continue."""
    try:
        return typer.confirm("Continue?")
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        print()
        sys.exit("Nothing was erased. Without a terminal, add --yes.")


def targets(settings: "Settings") -> list[str]:
    """The addresses of what is erased."""
    from src.manage.settings import without_password

    return [
        f"the schema public of {settings.sql.url.render_as_string(hide_password=True)}",
        f"the databases {without_password(settings.redis.url)} and {without_password(str(settings.CELERY_REDIS_URL))}",
        f"the database {settings.mongo.database} of {without_password(settings.mongo.url)}",
        f"all files in the bucket {settings.s3.bucket} of {settings.s3.endpoint}",
    ]


async def erase() -> None:
    """Empty the stores."""
    from redis.asyncio import Redis

    from src.manage.stores import open_stores

    async with open_stores(schema=False) as resources:
        async with resources.engine.begin() as connection:
            await connection.exec_driver_sql("DROP SCHEMA IF EXISTS public CASCADE")
            await connection.exec_driver_sql("CREATE SCHEMA public")
        await resources.redis.flushdb()
        async with Redis.from_url(str(resources.settings.CELERY_REDIS_URL)) as broker:
            await broker.flushdb()
        await resources.mongo.client.drop_database(resources.mongo.name)
        print(f"Erased the databases and {await remove_files(resources)} files.")


async def remove_files(resources: "Resources") -> int:
    """Remove the contents of all files, and the open uploads; returns how many."""
    from src.models.file import PREFIX

    storage, removed = resources.storage, 0
    await storage.prepare()
    while objects := await storage.objects(PREFIX):
        for content in objects:
            await storage.remove(content.key)
        removed += len(objects)
    while uploads := await storage.uploads(PREFIX):
        for upload in uploads:
            await storage.abort_upload(upload.key, upload.id)
        removed += len(uploads)
    return removed
