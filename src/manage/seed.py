"""`manage.sh seed`: demo data for a development environment; `demo_data.py` writes it."""

import sys


def insert_demo_data() -> None:
    """Insert what is missing of the demo users, roles, notices, files and schedules."""
    from src.core.config import settings
    from src.manage.demo_data import PASSWORD, insert
    from src.manage.stores import run

    if settings.ENVIRONMENT.is_deployed:
        sys.exit(f"Refused: ENVIRONMENT is {settings.ENVIRONMENT}, and the password of the demo users is public.")
    for what, count in run(insert()).items():
        print(f"{what}: {count} inserted.")
    print(f"Demo users log in as demo01 … demo50 with the password {PASSWORD}")
