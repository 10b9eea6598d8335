"""What a deployed process starts from: the packages of `requirements.lock`, without the developers', and bytecode."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from scripts.bench.servers import ROOT

PYTHON = (sys.executable, "-S")
"""Looks for packages where `PYTHONPATH` says, and nowhere else."""

NO_FEATURES = {
    "ACCOUNT_DELETION_DAYS": "",
    "ACCOUNT_EXPORT_DAYS": "",
    "ACT_AS_ENABLED": "false",
    "API_KEYS_ENABLED": "false",
    "AUTH_REGISTRATION_ENABLED": "false",
    "CONSOLE_ENABLED": "false",
    "DEVICES_ENABLED": "false",
    "FACTORS_ENABLED": "false",
    "METRICS_TOKEN": "",
    "OIDC_PROVIDERS": "",
    "SENTRY_DSN": "",
    "SMTP_URL": "",
    "TRACING_ENABLED": "false",
}
"""Settings with which every optional feature is off."""


@contextmanager
def production() -> Iterator[dict[str, str]]:
    """The environment of such a process; some libraries import whatever else they find beside them."""
    with tempfile.TemporaryDirectory() as directory:
        packages, bytecode = Path(directory, "packages"), Path(directory, "bytecode")
        packages.mkdir()
        for name in re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE):
            _link(name, packages)
        environment = os.environ | {"PYTHONPATH": f"{packages}:{ROOT}", "PYTHONPYCACHEPREFIX": str(bytecode)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        yield environment


def _link(name: str, packages: Path) -> None:
    try:
        found = distribution(name)
    except PackageNotFoundError:  # one for other systems
        return
    for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
        link = packages / top
        if not link.exists():
            link.symlink_to(Path(str(found.locate_file(top))))
