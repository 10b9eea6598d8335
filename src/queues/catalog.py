import inspect
from typing import Any

from celery import Celery

from src.core.tasks.info import TaskInfo

# Celery's own tasks: the machinery of canvases.
INTERNAL = "celery."


def read_catalog(app: "Celery[Any]") -> dict[str, TaskInfo]:
    """Every task of the application by name, its modules imported first."""
    app.loader.import_default_modules()
    return {name: _describe(task) for name, task in sorted(app.tasks.items()) if not name.startswith(INTERNAL)}


def _describe(task: Any) -> TaskInfo:
    run = getattr(task, "_orig_run", task.run)  # what `autoretry_for` wraps, without the task that it is bound to
    description = (inspect.getdoc(run) or "").partition("\n")[0]
    return TaskInfo(task.name, description, inspect.signature(run, eval_str=True))
