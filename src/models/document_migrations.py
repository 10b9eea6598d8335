"""The changes of stored documents, oldest first: a new one goes to the end, and none is ever taken out."""

from src.core.stores.document_migrations import DocumentMigration

DOCUMENT_MIGRATIONS: tuple[DocumentMigration, ...] = ()
