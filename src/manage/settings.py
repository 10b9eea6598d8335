"""`manage.sh settings`: the effective settings and where each comes from, without secrets."""

import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BaseModel, SecretStr

from src.manage.table import print_table

MASK = "***"
GENERATED = ("ACCESS_TOKEN_KEY", "REFRESH_TOKEN_KEY", "RSA_PRIVATE_KEY", "FACTOR_KEY")
"""Generated where they are not set."""


def show_settings() -> None:
    """List the effective settings and their sources, without secrets."""
    from src.core.config import settings
    from src.core.config.app import Environment
    from src.core.config.base import SettingsGroup, StoreSettings
    from src.core.config.settings import ROOT, dotenv_files

    files = [(str(file.relative_to(ROOT)), dotenv_values(file)) for file in reversed(dotenv_files(ROOT))]
    groups = [group for group in vars(settings).values() if isinstance(group, SettingsGroup)]
    unset = dict.fromkeys(GENERATED, "generated")
    if settings.ENVIRONMENT is Environment.LOCAL:
        stores = [group for group in groups if isinstance(group, StoreSettings) and not getattr(group, "host", "")]
        unset |= {store.url_setting: "embedded store, not running" for store in stores}
    rows = []
    for group in groups:
        for name, field in type(group).model_fields.items():
            alias = str(field.alias)
            origin, value = source(alias, files), shown(getattr(group, name))
            rows.append((alias, origin, unset.get(alias, value) if origin == "default" else value))
    print_table(("SETTING", "SOURCE", "VALUE"), rows)


def source(name: str, files: list[tuple[str, dict[str, str | None]]]) -> str:
    """Where a setting comes from; an empty value counts as not set."""
    if os.environ.get(name):
        return "environment"
    return next((file for file, values in files if values.get(name)), "default")


def shown(value: Any) -> str:
    """A value for people: secrets masked, lists and tables as JSON."""
    if value is None:
        return "-"
    if isinstance(value, SecretStr):
        secret = value.get_secret_value()
        return without_password(secret) if "://" in secret else MASK if secret else "-"
    if isinstance(value, str):
        return without_password(value) if "://" in value else value or "-"
    if isinstance(value, Path | bool | int | float):
        return json.dumps(value, default=str)
    return json.dumps(value, default=lambda part: part.model_dump() if isinstance(part, BaseModel) else shown(part))


def without_password(url: str) -> str:
    """A URL without its password and query, or several (`sentinel://…;sentinel://…`)."""
    first, *others = re.split(r";(?=[a-z+]+://)", url, maxsplit=1)
    if others:
        return f"{without_password(first)};{without_password(others[0])}"
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    login = f"{user.partition(':')[0]}:{MASK}" if ":" in user else user
    return parts._replace(netloc=f"{login}{at}{host}", query="", fragment="").geturl()
