"""The console's Chinese texts: there is one for each English text of the source, and for each field that it shows."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.stores import ROOT

APP = ROOT / "src/console/app/src"
SOURCE = "\n".join(
    path.read_text() for path in sorted(APP.rglob("*")) if path.suffix in (".ts", ".vue") and path.stem != "zh"
)
PAGES = "\n".join(path.read_text() for path in sorted((APP / "pages").glob("*.vue")))
TRANSLATED = re.findall(r'"((?:[^"\\]|\\.)+)": "', (APP / "zh.ts").read_text())
SCHEMAS = json.loads((ROOT / "tests/api/openapi.json").read_text())["components"]["schemas"]
LABELS: dict[str, str] = dict(re.findall(r'(\w+): "([^"]+)"', (APP / "en.ts").read_text()))
USED = {
    *re.findall(r"""\bt\((["'])(.+?)\1[,)]""", SOURCE),
    *re.findall(r"""\b(?:label|title|hint|empty|group): (["'])(.+?)\1""", SOURCE),
    *re.findall(
        r"""<(?:ListPage|PageView|SimpleTable|TimeChart)\s[^>]*?(?<![:\w])(?:title|empty)=(")([^"]+)\1""", SOURCE
    ),
}


def label_of(field: str) -> str:
    """What `labelOf` of list.ts calls a field."""
    words = re.sub(r"(?<=.)(At|Time|Id|Bytes|Ms)$", "", field)
    words = re.sub(r"[A-Z]", lambda letter: f" {letter[0].lower()}", words)
    return LABELS.get(field, words[0].upper() + words[1:])


def fields_of(schema: dict[str, Any]) -> Iterator[str]:
    """The names of a schema's fields, and of those of the schemas that it contains."""
    yield from schema.get("properties", {})
    for name in re.findall(r"#/components/schemas/(\w+)", json.dumps(schema)):
        yield from fields_of(SCHEMAS[name])


@pytest.mark.unit
class TestTranslations:
    def test_there_is_one_for_each_text(self) -> None:
        assert sorted({text for _, text in USED} - set(TRANSLATED)) == []

    def test_there_is_one_for_each_field_that_a_page_shows(self) -> None:
        shown = {field for name in re.findall(r'Schemas\["(\w+)"\]', PAGES) for field in fields_of(SCHEMAS[name])}
        asked = set(re.findall(r'\bkey: "(\w+)"(?!, label)', PAGES))
        assert sorted({label_of(field) for field in shown | asked} - set(TRANSLATED)) == []

    def test_each_is_there_once(self) -> None:
        assert len(TRANSLATED) == len(set(TRANSLATED))

    def test_keep_the_names_of_values(self) -> None:
        pairs = re.findall(r'"((?:[^"\\]|\\.)+)": "((?:[^"\\]|\\.)*)"', (APP / "zh.ts").read_text())
        names = [(set(re.findall(r"\{\w+\}", text)), set(re.findall(r"\{\w+\}", chinese))) for text, chinese in pairs]
        assert all(english == chinese for english, chinese in names)
