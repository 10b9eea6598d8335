"""The console's Chinese texts: there is one for each English text of the source."""

import re

import pytest

from tests.support.stores import ROOT

APP = ROOT / "src/console/app/src"
SOURCE = "\n".join(
    path.read_text() for path in sorted(APP.rglob("*")) if path.suffix in (".ts", ".vue") and path.stem != "zh"
)
TRANSLATED = re.findall(r'"((?:[^"\\]|\\.)+)": "', (APP / "zh.ts").read_text())
USED = {
    *re.findall(r"""\bt\((["'])(.+?)\1[,)]""", SOURCE),
    *re.findall(r"""\b(?:label|title|hint|empty|group): (["'])(.+?)\1""", SOURCE),
    *re.findall(r"""<(?:ListPage|SimpleTable|TimeChart)\s[^>]*?(?<![:\w])(?:title|empty)=(")([^"]+)\1""", SOURCE),
}


@pytest.mark.unit
class TestTranslations:
    def test_there_is_one_for_each_text(self) -> None:
        assert sorted({text for _, text in USED} - set(TRANSLATED)) == []

    def test_each_is_there_once(self) -> None:
        assert len(TRANSLATED) == len(set(TRANSLATED))

    def test_keep_the_names_of_values(self) -> None:
        pairs = re.findall(r'"((?:[^"\\]|\\.)+)": "((?:[^"\\]|\\.)*)"', (APP / "zh.ts").read_text())
        names = [(set(re.findall(r"\{\w+\}", text)), set(re.findall(r"\{\w+\}", chinese))) for text, chinese in pairs]
        assert all(english == chinese for english, chinese in names)
