"""Settings by concern, read once at import from the environment and the dotenv files.

`settings` is the process's one `Settings` object. Each group of it is a class of its own: `AuthSettings`,
`SQLSettings`, …, with the names of its environment variables. A setting that is missing or unusable ends the process
with a one-line `ConfigurationError`.
"""

from src.core.config.settings import Settings, settings

__all__ = ["Settings", "settings"]
