import platform
from importlib.util import find_spec
from pathlib import Path

from scripts.local.errors import LocalError


def locate(package: str, pattern: str, store: str) -> Path:
    """The file in an installed package that the pattern matches; the package is not imported.

    Raises:
        LocalError: The package is not installed, or without that file: it has no build for this platform.
    """
    spec = find_spec(package)
    folder = Path(spec.origin).parent if spec and spec.origin else None
    found = next(folder.glob(pattern), None) if folder else None
    if found is None:
        system = f"{platform.system()} {platform.machine()}"
        raise LocalError(f"{store}: no embedded server ({package}) for {system}. Use docker compose up -d --build.")
    return found
