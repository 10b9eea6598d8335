"""Run everything, the stores only, or one command on the stores.

python -m scripts.local [--no-reload | --stores]
python -m scripts.local run -- COMMAND
"""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from scripts.local.applications import Plan, default_plan
from scripts.local.directory import is_locked
from scripts.local.environment import configured_environment
from scripts.local.errors import LocalError, Stopped
from scripts.local.ports import DEFAULT_PORT, LOOPBACK, parse_port
from scripts.local.process import PROJECT_ROOT
from scripts.local.stores import needed_stores
from scripts.local.supervisor import run, up

DIRECTORY = PROJECT_ROOT / ".local"


def main(
    arguments: list[str], directory: Path = DIRECTORY, make_plan: Callable[[Path, str, int], Plan] = default_plan
) -> int:
    """Run what the arguments name, and return the exit code."""
    configured = configured_environment(PROJECT_ROOT)
    try:
        port = parse_port(configured.get("PORT", DEFAULT_PORT))
        match arguments:
            case [] | ["--no-reload"] | ["--stores"]:
                check_settings()
                plan = make_plan(directory / "log", configured.get("HOST", LOOPBACK), port)
                if "--no-reload" in arguments:
                    plan = replace(plan, watched=None)
                if "--stores" in arguments:
                    plan = plan.stores_only()
                up(directory, plan, configured)
            case ["run", "--", program, *rest]:
                if configured["ENVIRONMENT"] != "LOCAL" or not needed_stores(configured) or is_locked(directory):
                    os.execvp(program, [program, *rest])  # noqa: S606 - becoming that program is the purpose
                check_settings()
                return run(directory, port, configured, [program, *rest])
            case _:
                sys.exit(__doc__)
    except (LocalError, PermissionError) as error:
        print(error, file=sys.stderr)
        return 1
    except Stopped:
        return 130
    return 0


def check_settings() -> None:
    """Exit with one line if a setting is unusable, before anything starts."""
    import src.core.config  # noqa: F401 - the import is the check; here, since a command on running stores does without


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
