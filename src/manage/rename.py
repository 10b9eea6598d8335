"""`manage.sh rename`: the project's name, changed in `src/__init__.py` and in the files that cannot import it."""

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from src import NAME

ROOT = Path(__file__).resolve().parents[2]
PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*")

# Where each file spells the name, between two groups: as it is, or in small letters.
AS_IT_IS = {
    "src/__init__.py": r'^(NAME = ")[^"]+()',
    "README.md": r"^(# ).+()",
    "README-CN.md": r"^(# ).+()",
    "docs/configuration.md": r"^(\| `APP_NAME` \| `)[^`]+()",
    "tests/api/openapi.json": r'^(    "title": ")[^"]+()',
    "tests/websockets/asyncapi/asyncapi.json": r'^(    "title": ")[^"]+()',
    ".devcontainer/devcontainer.json": r'^(  "name": ")[^"]+()',
    "docs/deploy/grafana/overview.json": r'^( "title": ")[^"]+()',
}
SMALL = {
    "pyproject.toml": r'^(name = ")[^"]+()',
    "docker-compose.yml": r"^(  image: )(?=.+\n  env_file)\S+()",
    "docker-compose-pytest.yml": r"^(name: ).+(-pytest)$",
    "docs/deploy/compose/scale.yml": r"^(  image: )\S+()",
    "docs/deploy/grafana/overview.json": r'^( "uid": ")[^"]+()',
    "docs/deploy/kubernetes/base/network.yaml": r"(part-of: )[\w-]+()",
    **{
        f"docs/deploy/kubernetes/base/{name}.yaml": r"^( +image: )\S+()"
        for name in ("api", "worker", "worker-cpu", "beat", "migrate")
    },
}
# Wherever they fit, in small letters.
EVERYWHERE = {
    "docs/configuration.md": r"^(\| `TOKEN_(?:ISSUER|AUDIENCE)` \| `)[^`]+()",
    "docs/deploy/kubernetes/base/kustomization.yaml": r"(part-of: |- \{name: )[\w-]+()",
    "docs/deploy/kubernetes/overlays/example/kustomization.yaml": r"(- \{name: |registry\.example\.com/)[\w-]+()",
}


def rename_project(
    name: Annotated[str, typer.Argument(help="The new name, such as Parcel-Tracker.", show_default=False)],
) -> None:
    """Rename the project in every file that spells its name."""
    if not PATTERN.fullmatch(name):
        sys.exit(f"{name!r} is no project name: letters and digits, in words joined by '-'.")
    if name == NAME:
        sys.exit(f"The project is called {name} already.")
    if not (ROOT / "pyproject.toml").exists():
        sys.exit("There is no pyproject.toml here: run this in a clone, not in an image.")
    print(f"Renamed {NAME} to {name} in", *rename(ROOT, name), sep="\n  ")
    print("The defaults of TOKEN_ISSUER and TOKEN_AUDIENCE changed with it: everybody has to log in again.")


def rename(root: Path, name: str) -> list[str]:
    """Write the name into every file that spells it; returns the files."""
    small = name.lower()
    for spelling, files, count in ((name, AS_IT_IS, 1), (small, SMALL, 1), (small, EVERYWHERE, 0)):
        for file, pattern in files.items():
            text = (root / file).read_text()
            new, found = re.subn(pattern, rf"\g<1>{spelling}\g<2>", text, count=count, flags=re.MULTILINE)
            if not found:
                sys.exit(f"{file} does not spell the name where it is expected: look at src/manage/rename.py.")
            (root / file).write_text(new)
    return sorted({*AS_IT_IS, *SMALL, *EVERYWHERE})
