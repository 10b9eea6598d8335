"""From login to logout against the application at URL, as the initial administrator. Prints a line for each step."""

import asyncio
import os
import tempfile
import time
from pathlib import Path

import httpx
from api_client.api import Api
from api_client.events import ApiSocket
from api_client.models import ChatReceived
from api_client.session import ApiError, MemoryStore, Session
from api_client.upload import UploadInterruptedError, UploadState, upload

MEBIBYTE = 1 << 20


def check(holds: object) -> None:
    """Fail unless it holds."""
    if not holds:
        raise SystemExit("The journey failed.")


async def refuse(status: int, error: str, call: object) -> ApiError:
    """The error that a call has to raise."""
    try:
        await call  # type: ignore[misc]
    except ApiError as raised:
        check((raised.status, raised.error) == (status, error))
        return raised
    raise SystemExit(f"{error} was not raised.")


async def log_in(session: Session, store: MemoryStore) -> None:
    """Log in, and refresh: twice at once, and silently."""
    await refuse(401, "auth.invalid_credentials", session.login("admin", "wrong"))
    await session.login("admin", "123456")
    first = session.tokens
    async with Session(session.url, store) as other:
        await asyncio.gather(session.refresh(), session.refresh(), other.refresh())
    check(first and session.tokens and first["refreshToken"] != session.tokens["refreshToken"])
    if session.tokens:
        store.write({**session.tokens, "accessToken": "expired"})
    check((await Api(session).get_user_info())["username"] == "admin")
    print("Logged in; refreshed twice at once, and silently.")


async def create_and_list(session: Session, mark: str) -> str:
    """Create and list users and notices; returns the id of a notice."""
    api = Api(session)
    names = [f"{mark}-1", f"{mark}-2", f"{mark}-3"]
    for name in names:
        secret = await session.encrypt("correct horse battery")
        person = {"name": "Ada", "email": f"{name}@example.com", "username": name}
        await api.create_user({**person, "password": secret["password"], "kid": secret["kid"]})  # type: ignore[typeddict-item]
    page = await api.list_users(keyword=mark, status=True, sort="-createTime", page_size=2)
    check([user["username"] for user in page["records"]] == [names[2], names[1]])
    ids = []
    for title in names:
        notice = await api.publish_notice({"title": title, "body": "Tonight.", "expiresAt": "2100-01-01T00:00:00Z"})
        ids.append(notice["id"])
    runs, cursor = [], None
    while True:
        part = await api.list_runs(name="notices.announce", limit=2, cursor=cursor)
        runs += part["records"]
        cursor = part["nextCursor"]
        if cursor is None:
            break
    check([run["kwargs"]["notice_id"] for run in runs][: len(ids)] == ids[::-1])
    print("Created, and listed with filters and by cursor.")
    return ids[0]


async def be_refused(session: Session, notice_id: str) -> None:
    """Send what is invalid, and what has changed."""
    api = Api(session)
    invalid = api.publish_notice({"title": "", "body": "x", "expiresAt": "2100-01-01T00:00:00Z"})
    check((await refuse(422, "request.validation", invalid)).fields.keys() == {"title"})
    await refuse(412, "resource.changed", api.update_notice(notice_id, {"title": "Changed"}, if_match='"99"'))
    print("Refused: invalid by field, and changed in the meantime.")


async def chat(session: Session, room: str, notice_id: str) -> None:
    """Send and receive an event, and go on with new tokens."""
    received: asyncio.Queue[ChatReceived] = asyncio.Queue()
    socket = ApiSocket(session)
    socket.on_chat_receive(received.put)
    async with socket:
        await socket.chat_join({"room": room})
        check((await socket.chat_send({"room": room, "text": "Hello"}))["text"] == "Hello")
        check((await received.get())["text"] == "Hello")
        await session.refresh()
        check((await socket.notice_get({"id": notice_id}))["id"] == notice_id)
    print("Sent and received events; the connection outlived a token.")


async def send_file(session: Session) -> None:
    """Interrupt an upload after its first part, and resume it."""
    content = os.urandom(25 * MEBIBYTE)  # four parts, of which three are sent at once
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        await interrupt_and_resume(session, Path(file.name), content)
    print("Uploaded 25 MiB in parts, interrupted once and resumed.")


async def interrupt_and_resume(session: Session, file: Path, content: bytes) -> None:
    """Send a file in two attempts, and download it."""
    shares: list[float] = []

    def interrupt(share: float) -> None:
        raise InterruptedError(share)

    try:
        await upload(session, file, on_progress=interrupt)
        raise SystemExit("The upload was not interrupted.")
    except UploadInterruptedError as interrupted:
        state = UploadState(**interrupted.state.to_json())
    check(0 < len(state.done) < len(state.plan["parts"]))
    record = await upload(session, file, on_progress=shares.append, resume=state)
    check(shares[-1] == 1)
    async with httpx.AsyncClient() as storage:
        check((await storage.get(record["downloadUrl"])).content == content)


async def main(url: str) -> None:
    """Go the whole way."""
    store = MemoryStore()
    mark = f"ada-{time.time_ns()}"
    async with Session(url, store) as session:
        await log_in(session, store)
        notice_id = await create_and_list(session, mark)
        await be_refused(session, notice_id)
        await chat(session, mark, notice_id)
        await send_file(session)
        await session.logout()
        await refuse(401, "auth.unauthorized", Api(session).get_user_info())
        print("Logged out.")


if __name__ == "__main__":
    asyncio.run(main(os.environ.get("URL", "http://localhost:16000")))
