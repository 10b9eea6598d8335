"""The manifests of docs/deploy/kubernetes: valid, restricted, and in agreement with the settings."""

import re
import shutil
import subprocess
from itertools import product
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it has none
import pytest
import yaml  # type: ignore[import-untyped]  # comes with pre-commit, without types

from src import NAME
from src.core.config import settings
from src.core.config.base import SettingsGroup
from tests.support.stores import ROOT

pytestmark = pytest.mark.unit

DIRECTORY = ROOT / "docs/deploy/kubernetes"
PAGE = (ROOT / "docs/deploy/kubernetes.md").read_text()
OVERLAYS = ["overlays/example", "overlays/keda"]
KUBECTL = shutil.which("kubectl")
VERSIONS = ["1.34", "1.37"]
OURS = "api", "beat", "migrate", "worker", "worker-cpu"
OF_OTHERS = {"FORWARDED_ALLOW_IPS"}  # uvicorn's


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def is_of_kubernetes(document: dict[str, Any]) -> bool:
    return not re.search(r"kustomize|keda", document["apiVersion"])


MANIFESTS = {
    f"{path.parent.name}/{document['kind']}/{document['metadata']['name']}": document
    for path in sorted(DIRECTORY.rglob("*.yaml"))
    for document in documents(path)
    if is_of_kubernetes(document)
}
PODS = {
    document["metadata"]["name"]: document["spec"]["template"]
    for document in MANIFESTS.values()
    if document["kind"] in ("Deployment", "Job")
}
CONTAINERS = {name: pod["spec"]["containers"][0] for name, pod in PODS.items()}
[GENERATED] = documents(DIRECTORY / "base/kustomization.yaml")[0]["configMapGenerator"]
BASE = dict(literal.split("=", 1) for literal in GENERATED["literals"])


def named(*kinds: str) -> dict[str, Any]:
    """The specifications of some kinds, by name."""
    return {each["metadata"]["name"]: each["spec"] for each in MANIFESTS.values() if each["kind"] in kinds}


def known_settings() -> set[str]:
    groups = [group for group in vars(settings).values() if isinstance(group, SettingsGroup)]
    return {str(field.alias) for group in groups for field in type(group).model_fields.values()}


class TestEveryManifest:
    @pytest.mark.parametrize(("manifest", "version"), list(product(MANIFESTS, VERSIONS)))
    def test_is_valid(self, manifest: str, version: str) -> None:
        kubernetes_validate.validate(MANIFESTS[manifest], version, strict=True)

    def test_is_part_of_a_kustomization(self) -> None:
        for kustomization in DIRECTORY.rglob("kustomization.yaml"):
            files = {path.name for path in kustomization.parent.glob("*.yaml")} - {"kustomization.yaml"}
            assert files <= set(documents(kustomization)[0]["resources"])

    if KUBECTL:  # it contains kustomize

        @pytest.mark.parametrize("overlay", OVERLAYS)
        def test_is_valid_once_it_is_built(self, overlay: str) -> None:
            command = [str(KUBECTL), "kustomize", str(DIRECTORY / overlay)]
            built = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - kubectl
            found = list(yaml.safe_load_all(built))
            for document in filter(is_of_kubernetes, found):
                kubernetes_validate.validate(document, VERSIONS[-1], strict=True)
            assert {document["metadata"]["name"] for document in found} >= set(OURS)
            scaled = [each for each in found if each["kind"] == "ScaledObject"]
            decided = {each["metadata"]["name"] for each in scaled} | {"api"}
            replicas = {
                each["metadata"]["name"]: each["spec"].get("replicas") for each in found if "Deploy" in each["kind"]
            }
            assert {name for name, count in replicas.items() if count is None} == decided | ({"api"} - decided)


class TestSettings:
    def test_are_settings_of_the_application(self) -> None:
        names = set(BASE) | set(
            re.findall(r"^ +- ([A-Z_]+)=", (DIRECTORY / OVERLAYS[0] / "kustomization.yaml").read_text(), re.M)
        )
        assert len(names) > len(BASE)
        assert names - known_settings() - OF_OTHERS == set()

    def test_name_every_secret(self) -> None:
        [block] = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
        names = re.findall(r"^([A-Z_]+)=", block, re.MULTILINE)
        assert names
        assert set(names) - known_settings() == set()
        assert not set(names) & set(BASE)

    @pytest.mark.parametrize("name", OURS)
    def test_reach_every_process(self, name: str) -> None:
        assert CONTAINERS[name]["envFrom"] == [
            {"configMapRef": {"name": "settings"}},
            {"secretRef": {"name": "secrets"}},
        ]


class TestEveryPod:
    def test_is_known(self) -> None:
        assert sorted(PODS) == sorted(OURS)

    @pytest.mark.parametrize("name", OURS)
    def test_runs_without_rights(self, name: str) -> None:
        pod, container = PODS[name]["spec"], CONTAINERS[name]
        assert pod["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert container["securityContext"] == {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod["automountServiceAccountToken"] is False

    def test_runs_as_the_user_of_the_image(self) -> None:
        assert "USER 10001" in (ROOT / "Dockerfile").read_text()

    @pytest.mark.parametrize("name", OURS)
    def test_has_a_bound_of_its_memory(self, name: str) -> None:
        assert CONTAINERS[name]["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in CONTAINERS[name]["resources"]["limits"]

    @pytest.mark.parametrize("name", OURS)
    def test_is_found_by_its_selectors(self, name: str) -> None:
        labels = {"app.kubernetes.io/component": name}
        assert PODS[name]["metadata"]["labels"] == labels
        selecting = named("Deployment", "PodDisruptionBudget", "Service")
        assert name not in selecting or selecting[name]["selector"] in (labels, {"matchLabels": labels})


class TestTheEnd:
    """What happens at SIGTERM: docs/deploy/rollout.md."""

    def test_of_the_api_has_time_to_drain(self) -> None:
        graceful = re.findall(r'"--timeout-graceful-shutdown", "(\d+)"', (ROOT / "Dockerfile").read_text())[0]
        assert PODS["api"]["spec"]["terminationGracePeriodSeconds"] == int(BASE["DRAIN_SECONDS"]) + int(graceful) + 5
        assert "lifecycle" not in CONTAINERS["api"]

    def test_is_noticed_before_it_comes(self) -> None:
        probe = CONTAINERS["api"]["readinessProbe"]
        assert probe["httpGet"]["path"] == "/readyz"
        notice = probe["failureThreshold"] * (probe["periodSeconds"] + probe["timeoutSeconds"])
        assert notice < int(BASE["DRAIN_SECONDS"])
        assert CONTAINERS["api"]["livenessProbe"]["httpGet"]["path"] == "/livez"

    @pytest.mark.parametrize("name", ["worker", "worker-cpu"])
    def test_of_a_worker_leaves_time_for_the_longest_task(self, name: str) -> None:
        from src.queues.app import app

        assert PODS[name]["spec"]["terminationGracePeriodSeconds"] > app.conf.task_time_limit


class TestScaling:
    SCALED = documents(DIRECTORY / "overlays/keda/scaling.yaml")

    @pytest.mark.parametrize("scaled", SCALED, ids=lambda scaled: scaled["metadata"]["name"])
    def test_follows_the_queue_that_the_worker_consumes(self, scaled: dict[str, Any]) -> None:
        worker = CONTAINERS[scaled["spec"]["scaleTargetRef"]["name"]]["command"]
        [trigger] = scaled["spec"]["triggers"]
        queue = worker[worker.index("-Q") + 1]
        assert set(re.findall(r'queue="(\w+)"', trigger["metadata"]["query"])) == {queue}

    @pytest.mark.parametrize("scaled", SCALED, ids=lambda scaled: scaled["metadata"]["name"])
    def test_asks_for_metrics_that_exist(self, scaled: dict[str, Any]) -> None:
        page = (ROOT / "docs/observability.md").read_text()
        [trigger] = scaled["spec"]["triggers"]
        metrics = set(re.findall(r"\((\w+)\{", trigger["metadata"]["query"]))
        assert len(metrics) == 2
        assert [metric for metric in metrics if f"| `{metric}` |" not in page] == []

    def test_of_the_api_is_by_cpu(self) -> None:
        [scaler] = named("HorizontalPodAutoscaler").values()
        assert scaler["scaleTargetRef"]["name"] == "api"
        assert "replicas" not in named("Deployment")["api"]

    def test_stays_below_the_connections_of_postgresql(self) -> None:
        maximum = (
            20 * (named("HorizontalPodAutoscaler")["api"]["maxReplicas"]) + 2 * named("Deployment")["beat"]["replicas"]
        )
        assert maximum <= 100 - 10


class TestTheNetwork:
    def test_lets_nobody_in_by_default(self) -> None:
        policy = named("NetworkPolicy")["ours"]
        assert policy["podSelector"]["matchLabels"] == {"app.kubernetes.io/part-of": NAME.lower()}
        assert set(policy["policyTypes"]) == {"Ingress", "Egress"}

    def test_reaches_every_store(self) -> None:
        ports = {port["port"] for rule in named("NetworkPolicy")["ours"]["egress"] for port in rule["ports"]}
        assert {53, 5432, 6379, 27017, 9000} <= ports
