"""docs/configuration.md against the code."""

import json
import re
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from src.core import config
from src.core.config.base import SettingsGroup
from src.core.config.renamed import RENAMED

ROOT = Path(__file__).resolve().parents[2]
OWN, FOREIGN = (
    dict(re.findall(r"^\| `([A-Z0-9_]+)` \| (.+?) \|", part, re.MULTILINE))
    for part in (ROOT / "docs/configuration.md").read_text().split("## Variables of scripts and Docker Compose")
)
FIELDS: dict[str, FieldInfo] = {
    str(field.alias): field
    for group in vars(config.Settings(())).values()
    if isinstance(group, SettingsGroup)
    for field in type(group).model_fields.values()
}


def shown(field: FieldInfo) -> str:
    """A default as the table writes it."""
    value: Any = None if field.is_required() or field.default_factory else field.default
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value == "":
        return "—"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


class TestTheTables:
    def test_name_every_setting_and_no_other(self) -> None:
        assert sorted(OWN) == sorted(FIELDS)

    def test_show_the_defaults(self) -> None:
        assert {name: shown(field) for name, field in FIELDS.items()} == OWN

    @pytest.mark.parametrize(("name", "file"), FOREIGN.items())
    def test_name_who_reads_the_others(self, name: str, file: str) -> None:
        assert re.search(rf"\b{name}\b", (ROOT / file.strip("`")).read_text())


class TestRenamedSettings:
    def test_lead_from_a_name_that_is_gone_to_one_that_exists(self) -> None:
        assert not RENAMED.keys() & FIELDS.keys()
        assert set(RENAMED.values()) <= FIELDS.keys()


class TestTheExample:
    def test_knows_only_settings_that_exist(self) -> None:
        names = re.findall(r"^([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
        assert set(names) <= {*FIELDS, *FOREIGN}

    def test_of_the_tests_knows_only_settings_that_exist(self) -> None:
        names = re.findall(r"^([A-Z0-9_]+)=", (ROOT / ".env.pytest.example").read_text(), re.MULTILINE)
        assert set(names) <= {*FIELDS}
