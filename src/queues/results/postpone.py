"""Sending the current run again for later."""

from typing import Any, NoReturn

from celery.exceptions import Reject, Retry


def postpone(task: Any, seconds: float, reason: Exception | str, headers: dict[str, Any]) -> NoReturn:
    """Send the current run again for later; unlike `Task.retry`, this does not count as one of its retries.

    Args:
        task: The task that runs.
        seconds: How much later.
        reason: What the run history shows.
        headers: Further headers of the message.

    Raises:
        Retry: The run was sent again.
        Reject: It could not be sent, and returns to its queue.
    """
    request = task.request
    headers = {**(request.headers or {}), **headers}
    try:
        task.signature_from_request(request, countdown=seconds, headers=headers).apply_async()
    except Exception as error:
        raise Reject(error, requeue=True) from error
    cause = reason if isinstance(reason, Exception) else None
    raise Retry(str(reason), cause, when=seconds)  # type: ignore[arg-type]  # the stubs know no float
