"""Refuse files that do not belong into a repository for their size: `large_files.py FILE…`. Locks may be large."""

import sys
from pathlib import Path

LIMIT_BYTES = 500 * 1024


def main(files: list[str]) -> str | None:
    """Measure the files; returns which are too large, for `sys.exit`."""
    large = [file for file in files if not file.endswith(".lock") and Path(file).stat().st_size > LIMIT_BYTES]
    return f"Larger than {LIMIT_BYTES // 1024} KiB: {', '.join(large)}" if large else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
