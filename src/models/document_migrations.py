"""Migrations of stored MongoDB documents, oldest first. Append new ones, and never remove any."""

from src.core.stores.document_migrations import DocumentMigration

DOCUMENT_MIGRATIONS: tuple[DocumentMigration, ...] = ()
