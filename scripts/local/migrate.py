"""Runs migrations and initdb in one process: both spend most of their time on the same imports."""

import runpy

from alembic.config import main

if __name__ == "__main__":
    main(["upgrade", "head"])
    runpy.run_module("src.initdb", run_name="__main__")
