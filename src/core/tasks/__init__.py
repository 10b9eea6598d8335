"""Task metadata for services, without importing Celery or the modules of tasks.

- `info.py`: name, description and signature of a task; validates arguments before they are sent
- `headers.py`: message headers that callers must not set
- `queues.py`: what the overview tells of queues and dead letters
- `run_event.py`: changes of a run, on their way from workers to the run history
"""
