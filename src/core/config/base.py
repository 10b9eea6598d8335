"""Base classes of settings."""

from typing import ClassVar

from pydantic_settings import BaseSettings, SettingsConfigDict


class ConfigurationError(SystemExit):
    """A setting is missing or unusable: the process exits with this one line instead of a traceback."""


class SettingsGroup(BaseSettings):
    """Settings of one concern, read from the environment and the dotenv files; empty values count as not set."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)


class StoreSettings(SettingsGroup):
    """Settings of a store whose address is required once it is used."""

    store: ClassVar[str]
    url_setting: ClassVar[str]

    def missing(self) -> ConfigurationError:
        """The error for a store without an address."""
        return ConfigurationError(
            f"{self.store}: {self.url_setting} is not set, and no embedded store is running. "
            "Set it, or start ./scripts/dev.sh."
        )
