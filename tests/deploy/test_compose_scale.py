"""The compose files against the schema of the compose specification, and the overlay with several of everything."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # comes with kubernetes-validate, without types
import pytest
import yaml  # type: ignore[import-untyped]  # comes with pre-commit, without types

from scripts.check.nginx import EXAMPLE, find_nginx, write_configuration
from scripts.local.applications import WEB_LIMITS
from src import NAME
from src.core.config import settings
from src.core.config.base import SettingsGroup
from src.core.config.sql_urls import sql_url
from src.utils.redis_url import find_problem
from tests.support.stores import ROOT

pytestmark = pytest.mark.unit

OVERLAY = "docs/deploy/compose/scale.yml"
FILES = ["docker-compose.yml", "docker-compose-pytest.yml", OVERLAY]
# https://github.com/compose-spec/compose-spec/blob/main/schema/compose-spec.json, Apache License 2.0
SCHEMA = json.loads((ROOT / "tests/deploy/compose-spec.json").read_text())
NGINX = find_nginx()


class Loader(yaml.SafeLoader):  # type: ignore[misc]  # its base is untyped
    """Reads the overlay, whose `!reset []` removes what the other file says."""


Loader.add_constructor("!reset", lambda loader, node: loader.construct_sequence(node))


def load(file: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load((ROOT / file).read_text(), Loader)  # noqa: S506 - a safe one
    return loaded


BASE, SCALED = load("docker-compose.yml")["services"], load(OVERLAY)["services"]
OURS = "app", "app-2", "worker", "worker-cpu", "beat", "migrate"


def merged(name: str) -> dict[str, Any]:
    """A service of both files, as far as these tests look at it."""
    base, scaled = BASE.get(name, {}), SCALED[name]
    return {**base, **scaled, "environment": base.get("environment", {}) | scaled.get("environment", {})}


def value(text: object) -> str:
    """A value of the environment, with each variable's default or name in its place."""
    return re.sub(r"\$\{(\w+)(?::-([^{}]*))?\}", lambda found: found[2] or found[1].lower(), str(text))


class TestEveryFile:
    @pytest.mark.parametrize("file", FILES)
    def test_is_valid(self, file: str) -> None:
        jsonschema.validate(load(file), SCHEMA, jsonschema.Draft7Validator)

    @pytest.mark.parametrize("name", SCALED)
    def test_of_the_overlay_says_how_a_service_is(self, name: str) -> None:
        service = merged(name)
        assert ":" in service["image"] or service["image"] == NAME.lower()
        assert service.get("healthcheck") or name in ("app", "mongo-initiate")


class TestTheOverlay:
    @pytest.mark.parametrize("name", OURS)
    def test_sets_settings_of_the_application(self, name: str) -> None:
        groups = [group for group in vars(settings).values() if isinstance(group, SettingsGroup)]
        known = {str(field.alias) for group in groups for field in type(group).model_fields.values()}
        assert set(merged(name)["environment"]) - known - {"FORWARDED_ALLOW_IPS"} == set()

    def test_gives_all_of_our_processes_the_same_addresses(self) -> None:
        shared = SCALED["app"]["environment"]
        assert all(merged(name)["environment"].items() >= shared.items() for name in OURS)

    @pytest.mark.parametrize("name", ["SQL_DATABASE_URL", "SQL_DIRECT_URL", "SQL_REPLICA_URL"])
    def test_names_databases_that_are_services(self, name: str) -> None:
        from pydantic import SecretStr

        assert sql_url(name, SecretStr(value(SCALED["app"]["environment"][name]))).host in SCALED

    @pytest.mark.parametrize(
        "name", ["REDIS_DATABASE_URL", "CELERY_BROKER_URL", "CELERY_REDIS_URL", "MONGO_DATABASE_URL"]
    )
    def test_names_servers_that_are_services(self, name: str) -> None:
        url = value(SCALED["app"]["environment"][name])
        assert url.startswith("mongodb") or find_problem(url) is None
        hosts = re.split(r",", url.rpartition("@")[2].split("/")[0])
        assert {host.partition(":")[0] for host in hosts} <= set(SCALED)

    def test_drains_within_the_grace_period(self) -> None:
        for name in ("app", "app-2"):
            service = merged(name)
            drain = service["environment"]["DRAIN_SECONDS"]
            assert int(service["stop_grace_period"].removesuffix("s")) >= drain + 20 + 5

    def test_gives_workers_the_time_of_the_longest_task(self) -> None:
        from src.queues.app import app

        periods = [int(SCALED[name]["stop_grace_period"].removesuffix("s")) for name in ("worker", "worker-cpu")]
        assert min(periods) > app.conf.task_time_limit

    def test_limits_requests_as_the_image_does(self) -> None:
        command = SCALED["app-2"]["command"]
        [cmd] = re.findall(r"CMD (\[\"uvicorn.*?\])", (ROOT / "Dockerfile").read_text().replace("\\\n", ""))
        assert [part for part in command if part != "16001"] == [part for part in json.loads(cmd) if part != "16000"]
        assert command[-len(WEB_LIMITS) :] == WEB_LIMITS

    def test_lets_nobody_pass_by_nginx(self) -> None:
        assert {name for name in SCALED if merged(name).get("ports")} == {"nginx"}
        assert merged("app")["ports"] == []

    def test_has_a_volume_for_each_that_is_named(self) -> None:
        mounted = {volume.split(":")[0] for service in SCALED.values() for volume in service.get("volumes", ())}
        named = {name for name in mounted if not name.startswith(".")}
        assert named == set(load(OVERLAY)["volumes"])
        assert all((ROOT / name).is_file() for name in mounted - named)

    def test_waits_for_services_that_exist(self) -> None:
        waited = {name for service in SCALED.values() for name in service.get("depends_on", ())}
        assert waited <= {*SCALED, *BASE}


def replaced_addresses() -> dict[str, str]:
    """What the command of nginx replaces in its example."""
    return dict(re.findall(r"s/([\d.]+:\d+)/([\d.]+:\d+)/", SCALED["nginx"]["command"][-1]))


class TestNginx:
    def test_finds_both_processes(self) -> None:
        replaced = replaced_addresses()
        addresses = {name: SCALED[name]["networks"]["default"]["ipv4_address"] for name in ("app", "app-2", "nginx")}
        assert replaced == {
            "127.0.0.1:16000": f"{addresses['app']}:16000",
            "127.0.0.1:16001": f"{addresses['app-2']}:16001",
        }
        assert all(old in EXAMPLE.read_text() for old in replaced)
        assert SCALED["app"]["environment"]["FORWARDED_ALLOW_IPS"] == addresses["nginx"]

    if NGINX:

        def test_accepts_the_configuration(self, tmp_path: Path) -> None:
            main = write_configuration(tmp_path, EXAMPLE, replaced_addresses())
            assert "172.30.16.11:16001 max_fails=0 backup" in (tmp_path / "site.conf").read_text()
            command = [NGINX or "", "-t", "-p", str(tmp_path), "-e", str(tmp_path / "error.log"), "-c", str(main)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - found by name
            assert done.returncode == 0, done.stderr
