import os

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from src.core.preflight import MIGRATE, ROOT, reason_of, require_schema
from src.core.stores.document_migrations import COLLECTION
from src.crud.audit import RETENTION_INDEX
from src.manage.doctor.check import Examination
from src.manage.doctor.finding import CheckError
from src.manage.named_databases import named_databases
from src.models import DOCUMENTS
from src.models.audit import AuditLog
from src.models.document_migrations import DOCUMENT_MIGRATIONS

INITDB = "Run scripts/initdb.sh."


async def check_schema(examination: Examination) -> str:
    """The database is at the newest migration of this code."""
    async with examination.resources.engine.connect() as connection:
        await connection.run_sync(require_schema, examination.resources.settings)
    return f"Every migration has run ({MIGRATE})."


async def check_databases(examination: Examination) -> str:
    """Each of `SQL_DATABASES`, and the replica, can be used; those with models are at their newest migration."""
    resources = examination.resources
    others = {name: (database.sessions, "SQL_DATABASES") for name, database in resources.databases.items()}
    if resources.settings.sql.replica_url is not None:
        others["The replica"] = (resources.read_sessions, "SQL_REPLICA_URL")
    for name, (sessions, setting) in others.items():
        try:
            async with sessions() as session:
                await (await session.connection()).execute(text("SELECT 1"))
        except Exception as error:
            raise CheckError(f"{name} cannot be used: {reason_of(error)}.", f"Correct {setting}.") from error
    for name in named_databases(resources):
        async with resources.databases[name].engine.connect() as connection:
            await connection.run_sync(_require_newest, name)
    return f"{', '.join(others)} can be used." if others else "There are no others."


def _require_newest(connection: Connection, name: str) -> None:
    config = Config(os.environ.get("ALEMBIC_CONFIG", ROOT / "alembic.ini"), ini_section=name)
    current = set(MigrationContext.configure(connection).get_current_heads())
    try:
        newest = set(ScriptDirectory.from_config(config).get_heads())
    except CommandError as error:
        raise CheckError(f"alembic.ini has no section [{name}].", "Add it: docs/databases.md.") from error
    if current != newest:
        at = f"at revision {', '.join(sorted(current))}" if current else "without migrations"
        raise CheckError(
            f"{name} is {at}, this code at {', '.join(sorted(newest))}.", f"Run alembic -n {name} upgrade head."
        )


async def check_documents(examination: Examination) -> str:
    """MongoDB has every migration and index of this code."""
    resources = examination.resources
    done = {record["_id"] async for record in resources.mongo[COLLECTION].find()}
    if pending := [migration.name for migration in DOCUMENT_MIGRATIONS if migration.name not in done]:
        raise CheckError(f"Migrations that have not run: {', '.join(pending)}.", INITDB)
    missing, count = [], 0
    for model in DOCUMENTS:
        await resources.documents.bind(model)
        names = {index.name for index in model.get_settings().indexes}
        names |= {RETENTION_INDEX} if model is AuditLog else set()
        existing = await model.get_pymongo_collection().index_information()
        count += len(names)
        missing += [f"{model.get_collection_name()}.{name}" for name in sorted(names - set(existing))]
    if missing:
        raise CheckError(f"Indexes that do not exist: {', '.join(missing)}.", INITDB)
    return f"{len(DOCUMENT_MIGRATIONS)} migrations and {count} indexes are there."


async def check_bucket(examination: Examination) -> str:
    """The bucket exists, and uploads can begin."""
    resources = examination.resources
    bucket = resources.settings.s3.bucket
    try:
        upload = await resources.storage.begin_upload("doctor")
        await resources.storage.abort_upload("doctor", upload)
    except Exception as error:
        raise CheckError(
            f"Nothing can be uploaded to the bucket {bucket}.", f"{INITDB} Check its permissions."
        ) from error
    return f"{bucket} accepts uploads."
