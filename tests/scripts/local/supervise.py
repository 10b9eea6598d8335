"""The supervisor on a test's directory, with small programs for an application: `… DIRECTORY ARGUMENT…`."""

import os
import sys
from pathlib import Path

from scripts.local.__main__ import main
from scripts.local.applications import Application, Plan, answers, default_plan
from scripts.local.log import Log
from scripts.local.process import Process

CODE = os.environ.get("APPLICATION", "import time; print('at work', flush=True); time.sleep(600)")


def plan(logs: Path, host: str, port: int) -> Plan:
    def process(name: str, *arguments: str) -> Process:
        return Process(name, [sys.executable, *arguments], Log(logs / f"{name}.log"))

    api = process("api", "-m", "http.server", "--bind", host, str(port))
    worker = process("worker", "-c", CODE)
    return Plan(
        host,
        port,
        setup=[process("setup", "-c", "import os; print(os.environ['SQL_DATABASE_URL'])")],
        applications=[Application(api, lambda: answers(host, port, "/")), Application(worker)],
        announcement="All up.",
        watched=Path(os.environ["WATCHED"]) if "WATCHED" in os.environ else None,
    )


sys.exit(main(sys.argv[2:], Path(sys.argv[1]), default_plan if "PLAN" in os.environ else plan))
