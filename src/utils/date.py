from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present time, timezone-aware, in UTC."""
    return datetime.now(UTC)
