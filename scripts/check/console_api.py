"""The API beside the workers of `console_tasks`: it offers the same tasks."""

import scripts.check.console_tasks  # noqa: F401 - registers a task
from src.main import app

__all__ = ["app"]
