"""FACTORS_ENABLED=false: no routes, no questions; and what settings refuse to start."""

from copy import copy
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from src.core.config import settings
from src.core.config.app import Environment
from src.core.config.base import ConfigurationError
from src.core.config.identity.factors import FactorSettings
from src.core.config.settings import Settings
from src.core.resources import Resources
from src.core.security.secret_box import SecretBox
from src.main import create_app, register_routes, rest, server
from tests.security.factors.conftest import App, first_step, second_step
from tests.support.login import log_in
from tests.support.people import Person

KEY = "Ht5jX0wVd3Lq9ZpR7mYc1KsN8bGf4EuA6oWiTx2vQhM"


def with_factors(environment: Environment = Environment.LOCAL, **fields: Any) -> Settings:
    changed = copy(settings)
    changed.factors = FactorSettings.model_validate(fields)
    changed.app = settings.app.model_copy(update={"environment": environment})
    return changed


def check(deployed: Settings) -> None:
    deployed.factors.check()
    deployed.factors.check_deployed()


@pytest.fixture(scope="module")
def without() -> Settings:
    return with_factors(FACTORS_ENABLED=False)


class TestSwitchedOff:
    def test_there_are_no_routes(self, without: Settings) -> None:
        codes = [{route.code for route in each.state.registry.routes} for each in (rest, create_app(without, server))]
        assert codes[1] < codes[0]
        assert {code for code in codes[0] if "factor" in code or "passkey" in code or "reauth" in code} == codes[
            0
        ] - codes[1]

    async def test_nobody_is_asked(
        self,
        client: httpx.AsyncClient,
        person: Person,
        app: App,
        resources: Resources,
        without: Settings,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(resources, "settings", without)
        assert (await log_in(client, person.user.username)).status_code == 200


class TestInDeployedEnvironments:
    @pytest.fixture(autouse=True)
    def no_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("FACTOR_KEY", raising=False)

    @pytest.mark.parametrize(
        ("fields", "factors", "passkeys"),
        [
            ({}, False, False),
            ({"FACTOR_KEY": KEY}, True, False),
            ({"FACTOR_KEY": KEY, "WEBAUTHN_RP_ID": "a.example", "WEBAUTHN_ORIGINS": "https://a.example"}, True, True),
            ({"FACTOR_KEY": KEY, "FACTORS_ENABLED": False}, False, False),
        ],
    )
    def test_they_need_a_key_and_passkeys_a_site(self, fields: dict[str, Any], factors: bool, passkeys: bool) -> None:
        deployed = with_factors(Environment.PRODUCTION, **fields)
        check(deployed)
        assert (deployed.has_factors, deployed.has_passkeys) == (factors, passkeys)

    @pytest.mark.parametrize(
        "fields",
        [
            {"FACTORS_ENABLED": True},
            {"FACTORS_REQUIRED": True},
            {"FACTOR_KEY": "short"},
            {"FACTOR_KEY": "change-me-change-me-change-me-change-me-0123"},
            {"FACTOR_KEY": KEY, "FACTOR_PREVIOUS_KEY": "short"},
            {"FACTOR_KEY": KEY, "WEBAUTHN_RP_ID": "a.example"},
            {"FACTOR_KEY": KEY, "WEBAUTHN_ORIGINS": "https://a.example"},
            {"FACTOR_KEY": KEY, "WEBAUTHN_RP_ID": "a.example", "WEBAUTHN_ORIGINS": "https://evila.example"},
            {"FACTOR_KEY": KEY, "WEBAUTHN_RP_ID": "a.example", "WEBAUTHN_ORIGINS": "http://a.example"},
            {"FACTOR_KEY": KEY, "WEBAUTHN_RP_ID": "a.example", "WEBAUTHN_ORIGINS": "https://a.example/path"},
        ],
    )
    def test_they_refuse_to_start(self, fields: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError):
            check(with_factors(Environment.PRODUCTION, **fields))


class TestALostKey:
    @pytest.mark.parametrize(("fields", "is_told"), [({}, True), ({"FACTORS_ENABLED": False}, False)])
    async def test_is_told_at_the_start_where_there_are_factors(
        self,
        client: httpx.AsyncClient,
        app: App,
        resources: Resources,
        monkeypatch: pytest.MonkeyPatch,
        fields: dict[str, Any],
        is_told: bool,
    ) -> None:
        monkeypatch.delenv("FACTOR_KEY", raising=False)
        monkeypatch.setattr(resources, "settings", with_factors(Environment.PRODUCTION, **fields))
        with capture_logs() as entries:
            await register_routes(resources, rest.state.registry)
        assert [entry["log_level"] for entry in entries if entry["event"] == "factors_are_off"] == ["error"] * is_told


class TestTheKey:
    def box(self, key: str, previous: str | None = None) -> SecretBox:
        secrets = {"key": SecretStr(key), "previous_key": SecretStr(previous) if previous else None}
        return SecretBox(settings.factors.model_copy(update=secrets))

    def test_of_before_still_decrypts(self) -> None:
        user = uuid4()
        encrypted = self.box("old").encrypt(b"secret", user)
        assert self.box("new", "old").decrypt(encrypted, user) == b"secret"
        assert self.box("new").decrypt(encrypted, user) is None
        assert self.box("new").decrypt(b"", user) is None

    async def test_is_the_current_one_after_the_next_use(
        self,
        client: httpx.AsyncClient,
        person: Person,
        app: App,
        resources: Resources,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        old = resources.settings.factors
        update = {"key": SecretStr("new"), "previous_key": old.key}
        monkeypatch.setattr(resources.settings, "factors", old.model_copy(update=update))
        assert (await second_step(client, await first_step(client, person), code=app.next_code())).status_code == 200
        monkeypatch.setattr(resources.settings, "factors", old.model_copy(update={"key": SecretStr("new")}))
        assert (await second_step(client, await first_step(client, person), code=app.next_code())).status_code == 200
