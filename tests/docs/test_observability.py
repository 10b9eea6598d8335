"""docs/observability.md, the alerts and the dashboard against the metrics that the processes export."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import promql_parser
import pytest
import yaml  # type: ignore[import-untyped]  # comes with pre-commit, without types
from prometheus_client import REGISTRY
from prometheus_client.registry import Collector

from scripts.bench.capacity import Profile
from src.main import app
from src.queues.inspection.task_metrics import WorkerCollector
from src.queues.scheduler import AsyncDatabaseScheduler
from src.services.shared_metrics import SharedMetrics
from tests.docs.readme import ROOT

pytestmark = pytest.mark.unit

PAGE = (ROOT / "docs/observability.md").read_text()
ROWS = re.findall(r"^\| `(\w+)` \|([^|]*)\|[^|]+\|([^|]*)\|$", PAGE, re.MULTILINE)
LABELS = {name: set(re.findall(r"\w+", labels)) for name, labels, _ in ROWS}
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "docs/deploy/prometheus/rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
PANELS = json.loads((ROOT / "docs/deploy/grafana/overview.json").read_text())["panels"]
CAPACITY = (ROOT / "docs/capacity.md").read_text()
MEASURED = [line for block in re.findall(r"```promql\n(.*?)```", CAPACITY, re.DOTALL) for line in block.splitlines()]
SCALING = yaml.safe_load_all((ROOT / "docs/deploy/kubernetes/overlays/keda/scaling.yaml").read_text())
EXPRESSIONS = [
    *(rule["expr"] for rule in RULES),
    *(target["expr"] for panel in PANELS for target in panel.get("targets", ())),
    *(line for line in MEASURED if not line.startswith("#")),
    *(trigger["metadata"]["query"] for scaled in SCALING for trigger in scaled["spec"]["triggers"]),
]
# Of prometheus_client and of Prometheus itself.
OWN_LABELS = {"le", "instance", "job"}


def exported() -> dict[str, set[str]]:
    """Our metrics by name, with their labels."""
    assert app, AsyncDatabaseScheduler  # what defines metrics is imported
    collectors: list[Collector] = [REGISTRY, SharedMetrics().registry, WorkerCollector()]
    families = [family for collector in collectors for family in collector.collect()]
    found = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in families
        if not family.name.startswith(("process_", "python_"))
    }
    registries: list[Any] = [REGISTRY, SharedMetrics().registry]
    labels = {
        name: set(getattr(metric, "_labelnames", ()))
        for registry in registries
        for metric, names in registry._collector_to_names.items()
        for name in names
    }
    fixed = {"worker_reserved": {"queue"}, "sql_pool_size": {"pool"}, "sql_pool_in_use": {"pool"}}
    return {name: fixed.get(name, labels.get(name, set())) for name in found}


def selectors(expression: Any) -> Iterator[tuple[str, set[str]]]:
    """The metrics of an expression, and the labels that it matches or groups by."""
    if isinstance(expression, promql_parser.VectorSelector):
        yield expression.name or "", {matcher.name for matcher in expression.matchers.matchers}
        return
    modifier = getattr(expression, "modifier", None)
    grouped = set(modifier.labels) if isinstance(modifier, promql_parser.AggModifier) else set()
    for name in ("lhs", "rhs", "expr", "args", "vector_selector"):
        parts = getattr(expression, name, None)
        for part in parts if isinstance(parts, list) else [parts]:
            if part is not None:
                yield from ((metric, labels | grouped) for metric, labels in selectors(part))


def family_of(name: str) -> str:
    base = re.sub(r"_(bucket|count|sum)$", "", name)
    return base if base in LABELS else name


def test_the_tables_list_each_metric_with_its_labels() -> None:
    assert exported() == LABELS


def test_the_tables_name_the_alerts_on_each_metric() -> None:
    in_tables = {name: set(re.findall(r"\w+", alerts)) for name, _, alerts in ROWS}
    in_rules: dict[str, set[str]] = {name: set() for name in LABELS}
    for rule in RULES:
        for name, _ in selectors(promql_parser.parse(rule["expr"])):
            in_rules[family_of(name)].add(rule["alert"])
    assert in_tables == in_rules


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_use_metrics_and_labels_that_exist(expression: str) -> None:
    found = list(selectors(promql_parser.parse(expression)))
    assert found
    for name, labels in found:
        if not name.startswith(("process_cpu",)):
            assert labels <= LABELS[family_of(name)] | OWN_LABELS, name


def test_each_metric_is_on_the_dashboard() -> None:
    shown = {
        family_of(name)
        for panel in PANELS
        for target in panel.get("targets", ())
        for name, _ in selectors(promql_parser.parse(target["expr"]))
    }
    assert LABELS.keys() <= shown | {"http_request_seconds"}


def test_each_assumption_about_users_is_on_the_page_of_capacity() -> None:
    section = CAPACITY.partition("## Your own figures")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", section, re.MULTILINE))
    assert {name: float(value) for name, value in rows.items()} == {
        field.name: field.default for field in fields(Profile) if field.name != "users"
    }


class TestSelectors:
    def test_an_unknown_label_is_found(self) -> None:
        found = selectors(promql_parser.parse('sum by (le, queue) (rate(schedules{kind="a"}[5m])) > 1'))
        assert list(found) == [("schedules", {"kind", "le", "queue"})]

    def test_a_typing_error_is_found(self) -> None:
        with pytest.raises(ValueError):
            promql_parser.parse("sum by (le (rate(schedules[5m]))")
