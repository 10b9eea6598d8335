"""docs/architecture.md against the code: every stop is there."""

import re

from tests.docs.readme import ROOT

PAGE = (ROOT / "docs/architecture.md").read_text()
STOPS = re.findall(r"`(src/[\w/]+\.py)(?::(\w+))?`", PAGE)


def exists(file: str, name: str) -> bool:
    code = (ROOT / file).read_text() if (ROOT / file).exists() else ""
    return re.search(rf"^ *(?:class |(?:async )?def |){name}\b", code, re.MULTILINE) is not None


def test_every_stop_exists() -> None:
    assert [stop for stop in STOPS if not exists(*stop)] == []


def test_every_place_of_the_glossary_exists() -> None:
    places = re.findall(r"`(src/[\w/.]+)`", (ROOT / "docs/glossary.md").read_text())
    assert [place for place in places if not (ROOT / place).exists()] == []
