"""The compose files: what must hold in them, since a mistake shows only where they run."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # comes with pre-commit, without types

from scripts.local.stores import needed_stores
from src.core.config.files import S3Settings
from src.core.config.sql import SQLSettings
from src.core.config.stores import MongoSettings, RedisSettings

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    name: yaml.safe_load((ROOT / name).read_text()) for name in ("docker-compose.yml", "docker-compose-pytest.yml")
}
PRODUCT: dict[str, Any] = FILES["docker-compose.yml"]["services"]
TESTS: dict[str, Any] = FILES["docker-compose-pytest.yml"]["services"]
OURS = ("app", "worker", "beat", "migrate")
STORES = ("postgres", "redis", "mongo", "s3")
SERVICES = [
    pytest.param(service, id=f"{file}:{name}") for file in FILES for name, service in FILES[file]["services"].items()
]


def settings_of(file: str) -> dict[str, str]:
    """The assignments of a dotenv file."""
    return dict(re.findall(r"^([A-Z0-9_]+)=(.*)$", (ROOT / file).read_text(), re.MULTILINE))


class TestEveryService:
    @pytest.mark.parametrize("service", SERVICES)
    def test_has_no_fixed_container_name(self, service: dict[str, Any]) -> None:
        assert "container_name" not in service

    @pytest.mark.parametrize("service", SERVICES)
    def test_has_an_image_that_is_not_the_latest(self, service: dict[str, Any]) -> None:
        _, _, tag = service["image"].partition(":")
        assert tag not in ("", "latest") or "build" in service

    @pytest.mark.parametrize("service", SERVICES)
    def test_says_how_it_is(self, service: dict[str, Any]) -> None:
        assert service.get("healthcheck") or "build" in service


class TestTheProduct:
    def test_consists_of_our_processes_and_the_stores(self) -> None:
        assert set(PRODUCT) == {*OURS, *STORES}

    def test_opens_ports_to_this_machine_unless_told_otherwise(self) -> None:
        assert PRODUCT["app"]["ports"] == ["${BIND_ADDRESS:-127.0.0.1}:${PORT:-16000}:16000"]
        assert settings_of(".env.example")["BIND_ADDRESS"] == ""

    def test_opens_only_the_api_and_the_s3_server_to_this_machine(self) -> None:
        assert {name for name, service in PRODUCT.items() if "ports" in service} == {"app", "s3"}

    @pytest.mark.parametrize("name", OURS)
    def test_signs_for_browsers_what_is_published(self, name: str) -> None:
        (port,) = PRODUCT["s3"]["ports"]
        published = port.removeprefix("127.0.0.1:").removesuffix(":9000")
        default = f"${{MINIO_PUBLIC_ENDPOINT:-http://localhost:{published}}}"
        assert PRODUCT[name]["environment"]["MINIO_PUBLIC_ENDPOINT"] == default

    @pytest.mark.parametrize("name", STORES)
    def test_holds_no_secret(self, name: str) -> None:
        secrets = {key: value for key, value in PRODUCT[name]["environment"].items() if re.search("PASSWORD|AUTH", key)}
        assert secrets
        assert all(re.fullmatch(r"\$\{\w+(:\?[^}]+)?\}", value) for value in secrets.values())

    def test_refuses_to_start_without_each_password(self) -> None:
        text = (ROOT / "docker-compose.yml").read_text()
        names = set(re.findall(r"\$\{(\w+PASSWORD)", text))
        assert len(names) == len(STORES)
        assert all(f"${{{name}:?" in text for name in names)

    def test_asks_for_nothing_that_the_example_lacks(self) -> None:
        asked = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
        assert asked <= set(settings_of(".env.example"))

    @pytest.mark.parametrize("name", ["app", "worker", "beat"])
    def test_starts_after_the_migrations(self, name: str) -> None:
        assert PRODUCT[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}

    def test_migrates_once_all_stores_answer(self) -> None:
        assert PRODUCT["migrate"]["depends_on"] == {name: {"condition": "service_healthy"} for name in STORES}

    def test_runs_only_scripts_that_exist(self) -> None:
        scripts = re.findall(r"scripts/[\w./]+\.sh", (ROOT / "docker-compose.yml").read_text())
        assert {"scripts/alembic/migrate.sh", "scripts/initdb.sh"} <= set(scripts)
        assert all((ROOT / script).is_file() for script in scripts)

    @pytest.mark.parametrize("name", OURS)
    def test_tells_our_processes_where_every_store_is(self, name: str) -> None:
        environment = {key: str(value) for key, value in PRODUCT[name]["environment"].items()}
        assert needed_stores(environment) == []

    @pytest.mark.parametrize(
        ("name", "data"),
        [
            ("postgres", "/var/lib/postgresql"),  # of version 18 and later
            ("redis", "/data"),
            ("mongo", "/data/db"),
            ("s3", "/data"),
        ],
    )
    def test_keeps_the_data_of_each_store_in_a_named_volume(self, name: str, data: str) -> None:
        volumes = dict(reversed(volume.split(":")) for volume in PRODUCT[name]["volumes"])
        assert volumes[data] in FILES["docker-compose.yml"]["volumes"]


class TestTheExample:
    def test_names_no_store_so_that_the_embedded_ones_still_serve(self) -> None:
        assert len(needed_stores(settings_of(".env.example"))) == len(STORES)

    def test_has_a_placeholder_for_every_secret(self) -> None:
        secrets = {
            name: value for name, value in settings_of(".env.example").items() if re.search("PASSWORD|KEY", name)
        }
        assert all(value == "" or value.startswith("change-me-") for value in secrets.values()), secrets


class TestTheTestStores:
    def test_are_the_four(self) -> None:
        assert set(TESTS) == set(STORES)

    @pytest.mark.parametrize("name", STORES)
    def test_are_reached_from_this_machine_alone(self, name: str) -> None:
        assert all(port.startswith("127.0.0.1:") for port in TESTS[name]["ports"])

    @pytest.mark.parametrize("name", STORES)
    def test_leave_nothing_behind(self, name: str) -> None:
        assert TESTS[name]["tmpfs"]
        assert "volumes" not in TESTS[name]

    def test_are_where_the_example_says(self) -> None:
        example = settings_of(".env.pytest.example")
        urls = {
            "postgres": SQLSettings.url_setting,
            "redis": RedisSettings.url_setting,
            "mongo": MongoSettings.url_setting,
            "s3": S3Settings.url_setting,
        }
        ports = {name: service["ports"][0].split(":")[1] for name, service in TESTS.items()}
        assert all(f"127.0.0.1:{ports[name]}" in example[setting] for name, setting in urls.items())
