"""Creates the initial data: administrator, permission codes, bucket, MongoDB indexes and migrations. Idempotent.

python -m src.initdb
"""

import asyncio
import secrets

from src.core.config import settings
from src.core.logging import configure_logging
from src.core.preflight import require_stores
from src.core.resources import Resources, open_resources
from src.core.stores.document_migrations import migrate_documents
from src.main import register_routes, rest, server
from src.models import DOCUMENTS
from src.models.document_migrations import DOCUMENT_MIGRATIONS
from src.queues import load_app
from src.queues.publisher import create_outbox
from src.services.audit import AuditService
from src.services.user import UserService
from src.websockets.emitter import SocketEmitter

DEBUG_PASSWORD = "123456"  # noqa: S105 - the documented login of development environments


async def initialise(resources: Resources) -> None:
    """Create what is missing, and print what was done."""
    password, generated = initial_password(resources)
    async with resources.unit_of_work() as uow:
        created = await UserService(uow, resources).create_initial_admin(
            password, must_change_password=resources.settings.ENVIRONMENT.is_deployed
        )
    if created and generated:
        print(f"Administrator: admin / {password} (shown once; must be changed at the first login)")
    else:
        print(f"Administrator: {'admin was created' if created else 'exists'}.")
    await register_routes(resources, rest.state.registry)
    print(f"Permission codes: {len(rest.state.registry.grantable)} registered.")
    migrated = await migrate_documents(resources.settings.sql, resources.mongo, DOCUMENT_MIGRATIONS)
    await resources.documents.create_indexes(*DOCUMENTS)
    await AuditService(resources).set_retention()
    print(f"MongoDB: {len(migrated)} migrations applied, indexes and audit retention are set.")
    await resources.storage.prepare()
    print(f"S3: bucket {resources.settings.s3.bucket} is ready.")


def initial_password(resources: Resources) -> tuple[str, bool]:
    """The initial administrator's password, and whether it was generated."""
    configured = resources.settings.auth.initial_admin_password
    if configured is not None:
        return configured.get_secret_value(), False
    if resources.settings.ENVIRONMENT.is_deployed:
        return secrets.token_urlsafe(18), True
    return DEBUG_PASSWORD, False


async def main() -> None:
    """Create the initial data in the stores of this environment.

    Raises:
        PreflightError: A store is unavailable, or the SQL schema is not that of this code.
    """
    configure_logging(settings)
    async with open_resources(settings, create_outbox(load_app), SocketEmitter(server)) as resources:
        await require_stores(resources)
        await initialise(resources)


if __name__ == "__main__":
    asyncio.run(main())
