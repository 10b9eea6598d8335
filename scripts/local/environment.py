"""The user's settings, and those that lead to the embedded stores."""

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from scripts.local.directory import write_private


def configured_environment(root: Path) -> dict[str, str]:
    """The settings as the application reads them: the environment, then `.env.<environment>`, then `.env`."""
    shared = dotenv_values(root / ".env")
    environment = os.environ.get("ENVIRONMENT") or shared.get("ENVIRONMENT") or "LOCAL"
    layers = (shared, dotenv_values(root / f".env.{environment.lower()}"), os.environ)
    merged = {name: value for layer in layers for name, value in layer.items() if value}
    return {**merged, "ENVIRONMENT": environment}


def write_environment(file: Path, variables: Mapping[str, str]) -> None:
    """Write a dotenv file that only its owner may read."""
    quoted = {name: value.replace("\\", "\\\\").replace("'", "\\'") for name, value in variables.items()}
    write_private(file, "".join(f"{name}='{value}'\n" for name, value in quoted.items()))
