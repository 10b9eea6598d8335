"""docs/architecture.md against the code: every stop is there."""

import re

import pytest

from tests.docs.readme import ROOT

PAGE = (ROOT / "docs/architecture.md").read_text()
STOPS = re.findall(r"`(src/[\w/]+\.py)(?::(\w+))?`", PAGE)


@pytest.mark.parametrize(("file", "name"), STOPS, ids=[f"{file}:{name}" for file, name in STOPS])
def test_every_stop_exists(file: str, name: str) -> None:
    code = (ROOT / file).read_text()
    assert re.search(rf"^ *(?:class |(?:async )?def |){name}\b", code, re.MULTILINE)


def test_every_place_of_the_glossary_exists() -> None:
    places = re.findall(r"`(src/[\w/.]+)`", (ROOT / "docs/glossary.md").read_text())
    assert [place for place in places if not (ROOT / place).exists()] == []
