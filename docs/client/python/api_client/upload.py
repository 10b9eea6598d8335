"""Uploads in parts, directly to the storage."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx

from .session import ApiError, Session

CONCURRENCY = 3
ATTEMPTS = 3
SERVER_ERROR = 500


@dataclass
class UploadState:
    """An upload that has begun: `plan` is what the server told, `done` the parts that it has. Both are JSON."""

    plan: dict[str, Any]
    done: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """What `UploadState(**json)` is made of; it can be resumed until the upload expires."""
        return asdict(self)


class UploadInterruptedError(Exception):
    """The upload failed: go on with `resume=error.state`, or cancel it."""

    def __init__(self, state: UploadState) -> None:
        super().__init__("The upload was interrupted.")
        self.state = state


async def upload(
    session: Session,
    file: Path,
    *,
    name: str | None = None,
    content_type: str = "application/octet-stream",
    on_progress: Callable[[float], None] = lambda share: None,
    resume: UploadState | None = None,
) -> dict[str, Any]:
    """Upload a file; returns the server's record. `on_progress` gets the share of parts that are sent, from 0 to 1.

    Raises:
        UploadInterruptedError: It failed, or `on_progress` raised an exception; it can be resumed.
        ApiError: It could not begin.
    """
    size = (await asyncio.to_thread(file.stat)).st_size
    state = resume or await _begin(session, name or file.name, content_type, size)
    sent = {part["partNumber"] for part in state.done}
    pending = [part for part in state.plan["parts"] if part["partNumber"] not in sent]

    async def send(storage: httpx.AsyncClient) -> None:
        while pending:
            part = pending.pop(0)
            content = await asyncio.to_thread(_read, file, part["partNumber"] - 1, state.plan["partSizeBytes"])
            state.done.append({"partNumber": part["partNumber"], "etag": await _put(storage, part, content)})
            on_progress(len(state.done) / len(state.plan["parts"]))

    try:
        async with httpx.AsyncClient(timeout=session.http.timeout) as storage:
            await _together(send(storage) for _ in range(CONCURRENCY))
        return await _complete(session, state)
    except Exception as error:
        raise UploadInterruptedError(state) from error


async def _together(calls: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run them until one fails, whose exception is raised."""
    tasks = [asyncio.create_task(call) for call in calls]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()


async def reopen_upload(session: Session, file_id: str) -> UploadState:
    """The state of an upload that another process began, with new URLs."""
    plan = (await session.call("GET", f"/api/v1/files/{file_id}"))["upload"]
    if plan is None:
        raise ValueError("The upload is completed.")
    return UploadState(plan, plan["sent"])


async def cancel_upload(session: Session, state: UploadState) -> None:
    """Delete what was uploaded."""
    await session.call("DELETE", f"/api/v1/files/{state.plan['id']}")


async def _begin(session: Session, name: str, content_type: str, size: int) -> UploadState:
    body = {"filename": name, "contentType": content_type, "sizeBytes": size}
    return UploadState(await session.call("POST", "/api/v1/files", body=body))


async def _complete(session: Session, state: UploadState) -> dict[str, Any]:
    """Completing is idempotent: it is repeated if the response is lost, or the storage is not available."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            path = f"/api/v1/files/{state.plan['id']}/complete"
            record: dict[str, Any] = await session.call("POST", path, body={"parts": state.done})
        except (ApiError, httpx.TransportError) as error:
            final = (
                isinstance(error, ApiError) and error.status < SERVER_ERROR and error.error != "file.being_completed"
            )
            if final or attempt == ATTEMPTS:
                raise
            await asyncio.sleep(attempt)
        else:
            return record
    raise AssertionError("The last attempt raises or returns.")


async def _put(storage: httpx.AsyncClient, part: dict[str, Any], content: bytes) -> str:
    """Send a part; returns its ETag."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            response = await storage.put(part["url"], headers=part["headers"], content=content)
            if response.is_success:
                return response.headers["ETag"]
            if response.status_code < SERVER_ERROR or attempt == ATTEMPTS:
                raise ApiError(response.status_code, {"message": f"The storage responded with {response.status_code}."})
        except httpx.TransportError:
            if attempt == ATTEMPTS:
                raise
        await asyncio.sleep(attempt)
    raise AssertionError("The last attempt raises or returns.")


def _read(file: Path, index: int, size: int) -> bytes:
    with file.open("rb") as content:
        content.seek(index * size)
        return content.read(size)
