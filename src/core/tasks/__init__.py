"""What services know about tasks without importing their modules, and so without importing Celery.

- `info.py`: name, description and signature of a task; validates arguments before they are sent
- `headers.py`: message headers that callers must not set
- `run_event.py`: changes of a run, on their way from workers to the run history
"""
