from pathlib import Path

import pytest

from src.core.config import Settings
from src.core.config.base import ConfigurationError, SettingsGroup
from src.core.config.renamed import RENAMED


@pytest.fixture(autouse=True)
def _renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RENAMED, "OLD_NAME", "APP_NAME")


class TestAnOldName:
    def test_in_the_environment_is_refused_with_the_new_one(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OLD_NAME", "shop")
        with pytest.raises(ConfigurationError, match=r"^OLD_NAME is now APP_NAME\.$"):
            Settings.load(root)

    @pytest.mark.parametrize("file", [".env", ".env.local", ".local/env"])
    def test_in_a_dotenv_file_is_refused_with_the_new_one(self, root: Path, file: str) -> None:
        (root / file).write_text("OLD_NAME=shop")
        with pytest.raises(ConfigurationError, match=r"^OLD_NAME is now APP_NAME\.$"):
            Settings.load(root)

    def test_is_refused_in_lower_case_as_well(self, root: Path) -> None:
        (root / ".env").write_text("old_name=shop")
        with pytest.raises(ConfigurationError, match="OLD_NAME"):
            Settings.load(root)

    def test_is_refused_beside_the_new_one(self, root: Path) -> None:
        (root / ".env").write_text("OLD_NAME=shop\nAPP_NAME=shop")
        with pytest.raises(ConfigurationError, match="OLD_NAME"):
            Settings.load(root)

    def test_without_a_value_counts_as_not_set(self, root: Path) -> None:
        (root / ".env").write_text("OLD_NAME=")
        assert Settings.load(root).app.name

    def test_in_a_file_of_another_environment_is_not_read(self, root: Path) -> None:
        (root / ".env.production").write_text("OLD_NAME=shop")
        assert Settings.load(root).app.name

    def test_is_listed_with_all_others_at_once(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(RENAMED, "OLDER_NAME", "APP_VERSION")
        (root / ".env").write_text("OLD_NAME=shop\nOLDER_NAME=1")
        with pytest.raises(ConfigurationError, match=r"^OLDER_NAME is now APP_VERSION; OLD_NAME is now APP_NAME\.$"):
            Settings.load(root)


class TestTheList:
    def test_names_settings_that_exist(self) -> None:
        aliases = {
            field.alias
            for group in vars(Settings()).values()
            if isinstance(group, SettingsGroup)
            for field in type(group).model_fields.values()
        }
        assert set(RENAMED.values()) <= aliases
        assert not RENAMED.keys() & aliases
