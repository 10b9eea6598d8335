"""Refuse files too large for a repository: `large_files.py FILE…`. Lock files and vendored files may be large."""

import sys
from pathlib import Path

LIMIT_BYTES = 500 * 1024


def main(files: list[str]) -> str | None:
    """Returns a message that names the files that are too large, for `sys.exit`."""
    own = [file for file in map(Path, files) if file.suffix != ".lock" and "vendor" not in file.parts]
    large = [str(file) for file in own if file.stat().st_size > LIMIT_BYTES]
    return f"Larger than {LIMIT_BYTES // 1024} KiB: {', '.join(large)}" if large else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
