"""Settings by concern, read once at import from the environment and the dotenv files.

`settings` is the process's only `Settings` object. Its groups (`settings.auth`, `settings.sql`, …) are classes of one
file each; a field's alias is the name of its environment variable. `renamed.py` maps old names to new ones. A setting
that is missing, renamed or unusable ends the process with a one-line `ConfigurationError`.
"""

from src.core.config.settings import Settings, settings

__all__ = ["Settings", "settings"]
