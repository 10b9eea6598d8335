import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from src.core.preflight import PreflightError, reason_of
from src.core.resources import Resources
from src.manage.doctor.finding import CheckError, Finding

TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker that responds: the queues that it consumes, and its number of processes."""

    queues: frozenset[str]
    processes: int


@dataclass(slots=True)
class Examination:
    """What checks look at; the check of the broker fills `workers`, by name."""

    resources: Resources
    workers: Mapping[str, Worker] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """A check: returns what is fine or raises `CheckError`; it is skipped unless the checks that it needs are fine."""

    name: str
    run: Callable[[Examination], Awaitable[str]]
    needs: Sequence[str] = ()


async def run_checks(checks: Sequence[Check], examination: Examination) -> list[Finding]:
    """Run checks at once, each after those that it needs; the results are in the order of the checks."""
    findings: dict[str, asyncio.Task[Finding]] = {}

    async def run(check: Check) -> Finding:
        for name in check.needs:
            if (await findings[name]).status != "ok":
                return Finding(check.name, "skipped", f"Not checked: it needs {name}.")
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return Finding(check.name, "ok", await check.run(examination))
        except CheckError as problem:
            return Finding(check.name, "failed", problem.text, problem.remedy)
        except PreflightError as error:
            return Finding(check.name, "failed", str(error))
        except Exception as error:
            return Finding(check.name, "failed", f"{reason_of(error)}.")

    for check in checks:
        findings[check.name] = asyncio.create_task(run(check))
    return await asyncio.gather(*findings.values())
