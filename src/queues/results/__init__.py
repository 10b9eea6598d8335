"""Celery's result backend on Redis, and the run history that is recorded beside it."""
