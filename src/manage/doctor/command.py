import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from src.manage.doctor.check import Check
    from src.manage.doctor.finding import Finding

MARKS = {"ok": "ok", "failed": "FAILED", "skipped": "-"}


def examine(as_json: Annotated[bool, typer.Option("--json", help="Print a list of objects.")] = False) -> None:
    """Check settings, stores and processes; fails if one of them needs attention."""
    from src.manage.doctor.settings import check_settings

    findings = check_settings()
    if findings[0].status == "ok":
        from src.manage.stores import run

        findings += run(examine_stores())
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        show(findings)
    if any(finding.status == "failed" for finding in findings):
        sys.exit(1)


def show(findings: "list[Finding]") -> None:
    """Print one line for each result."""
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        print(f"{MARKS[finding.status]:6}  {finding.check:{width}}  {finding.text} {finding.remedy}".rstrip())


async def examine_stores() -> "list[Finding]":
    """Run all checks that need stores."""
    from src.manage.doctor.check import Examination, run_checks
    from src.manage.stores import open_clients

    async with open_clients() as resources:
        return await run_checks(all_checks(), Examination(resources))


def all_checks() -> "list[Check]":
    """All checks that need stores, in the order of their lines."""
    from src.manage.doctor import contents, logins, processes, reachable, stores
    from src.manage.doctor.check import Check

    return [
        Check("postgresql", stores.check_postgresql),
        Check("redis", stores.check_redis),
        Check("mongodb", stores.check_mongodb),
        Check("s3", stores.check_s3),
        Check("broker", processes.check_broker),
        Check("results", processes.check_results, needs=("redis",)),
        Check("connections", stores.check_connections, needs=("postgresql", "redis", "broker")),
        Check("clocks", stores.check_clocks, needs=("postgresql", "redis")),
        Check("schema", contents.check_schema, needs=("postgresql",)),
        Check("databases", contents.check_databases),
        Check("documents", contents.check_documents, needs=("mongodb",)),
        Check("bucket", contents.check_bucket, needs=("s3",)),
        Check("cors", reachable.check_cors, needs=("bucket",)),
        Check("certificates", reachable.check_certificates),
        Check("email", logins.check_email),
        Check("openid", logins.check_openid),
        Check("api", processes.check_api, needs=("redis",)),
        Check("workers", processes.check_workers, needs=("broker",)),
        Check("queues", processes.check_queues, needs=("workers", "schema")),
        Check("beat", processes.check_beat, needs=("schema",)),
        Check("schedules", processes.check_schedules, needs=("schema",)),
        Check("outbox", processes.check_outbox, needs=("schema",)),
        Check("disk", stores.check_disk),
    ]
