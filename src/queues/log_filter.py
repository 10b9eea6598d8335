import logging


class HousekeepingLogFilter(logging.Filter):
    """Keeps the lines of housekeeping that runs every few seconds out of the worker's log, unless it goes wrong.

    Args:
        names: The tasks.
    """

    def __init__(self, names: set[str]) -> None:
        super().__init__()
        self._names = names

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is shown; Celery puts the task's name into the record's `data`."""
        data = getattr(record, "data", None)
        name = data.get("name") if isinstance(data, dict) else None
        return record.levelno > logging.INFO or name not in self._names
