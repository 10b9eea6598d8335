from enum import IntEnum


class AdvisoryLock(IntEnum):
    """The keys of all advisory locks in PostgreSQL, except those of the outbox, which are hashes."""

    INITIAL_ADMIN = 7_283_064_520
    DOCUMENT_MIGRATIONS = 7_283_064_521
    SCHEDULES_OF_CONFIG = 2_026_112_401
    RUN_EVENTS = 2_026_112_402
