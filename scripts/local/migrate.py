"""Migrations and then the first data, in one process: most of the time of either goes into the same imports."""

import runpy

from alembic.config import main

if __name__ == "__main__":
    main(["upgrade", "head"])
    runpy.run_module("src.initdb", run_name="__main__")
