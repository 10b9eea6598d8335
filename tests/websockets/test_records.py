"""What is recorded of each event: a log line and metrics."""

import json
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from tests.support.people import People
from tests.support.waiting import eventually
from tests.websockets.conftest import Visit


def count(event: str, code: int) -> float:
    labels = {"event": event, "code": str(code)}
    return REGISTRY.get_sample_value("socketio_event_seconds_count", labels) or 0


async def test_each_event_has_a_line_with_an_id_of_its_own(
    people: People, visit: Visit, capsys: pytest.CaptureFixture[str]
) -> None:
    person = await people.create("SOCKET:chat.join")
    client = await visit(person)
    joined, denied = count("chat.join", 0), count("chat.send", 1008)
    capsys.readouterr()
    await client.call("chat.join", {"room": f"room-{uuid4()}"})
    await client.call("chat.send", {"room": "a", "text": "hunter2"})
    output = ""

    def lines() -> list[str]:
        nonlocal output
        output += capsys.readouterr().out
        return [line for line in output.splitlines() if '"event":"event"' in line]

    await eventually(lambda: len(lines()) >= 2)
    entries = [json.loads(line) for line in lines()]
    assert [(entry["name"], entry["code"], entry["user_id"], entry["level"]) for entry in entries] == [
        ("chat.join", 0, str(person.user.id), "info"),
        ("chat.send", 1008, str(person.user.id), "info"),
    ]
    assert len({entry["request_id"] for entry in entries} - {""}) == 2
    assert all(entry["ms"] >= 0 for entry in entries)
    assert "hunter2" not in output
    assert (count("chat.join", 0) - joined, count("chat.send", 1008) - denied) == (1, 1)
