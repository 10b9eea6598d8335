import json
from typing import Any

import pytest

from src.core.config.base import ConfigurationError
from src.core.config.identity.oidc import OidcSettings, is_allowed_url

pytestmark = pytest.mark.unit

PROVIDER = {"issuer": "https://idp.shop.net", "clientId": "shop", "clientSecret": "gx7Yq0ZpVn2LwKd4"}


def oidc(name: str = "test", public: str = "https://api.shop.net", page: str = "", **changes: Any) -> OidcSettings:
    provider = {name: value for name, value in {**PROVIDER, **changes}.items() if value is not None}
    return OidcSettings.model_validate(
        {"OIDC_PROVIDERS": {name: provider}, "OIDC_PUBLIC_URL": public, "OIDC_FRONTEND_URL": page}
    )


class TestProviders:
    def test_are_read_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OIDC_PROVIDERS", json.dumps({"test": {**PROVIDER, "allowSignUp": True}}))
        provider = OidcSettings().providers["test"]
        assert (provider.client_id, provider.allow_sign_up, provider.roles) == ("shop", True, {})
        assert "gx7Yq0ZpVn2LwKd4" not in repr(provider)

    def test_are_none_by_default(self) -> None:
        settings = OidcSettings()
        settings.check(allows_http=False)
        settings.check_deployed()
        assert not settings.enabled

    def test_of_another_form_are_refused_without_showing_a_secret(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OIDC_PROVIDERS", json.dumps({"test": {**PROVIDER, "client_secrte": "hunter2"}}))
        with pytest.raises(ValueError, match="client_secrte") as raised:
            OidcSettings()
        assert "hunter2" not in str(raised.value)


class TestCheck:
    def test_accepts_what_works(self) -> None:
        oidc(page="https://shop.net/login", roleClaim="groups", roles={"staff": ["editor"]}).check(allows_http=False)
        oidc(issuer="http://localhost:8080/realms/shop", clientSecret=None).check(allows_http=False)
        oidc(issuer="http://keycloak:8080/realms/shop").check(allows_http=True)

    @pytest.mark.parametrize(
        ("settings", "reason"),
        [
            (oidc("Test"), "'Test' must have at most 32 lowercase"),
            (oidc("a/b"), "'a/b' must have at most 32 lowercase"),
            (oidc(issuer="http://idp.shop.net"), "the issuer of test must be an https:// URL"),
            (oidc(issuer="https://idp.shop.net?a=b"), "the issuer of test must be an https:// URL"),
            (oidc(issuer="https://user@idp.shop.net"), "the issuer of test must be an https:// URL"),
            (oidc(issuer="idp.shop.net"), "the issuer of test must be an https:// URL"),
            (oidc(scopes=["email"]), "the scopes of test must include openid"),
            (oidc(roles={"staff": ["editor"]}), "test has roles, which need a roleClaim"),
            (oidc(public=""), "OIDC_PUBLIC_URL must be where browsers reach this API"),
            (oidc(public="api.shop.net"), "OIDC_PUBLIC_URL must be where browsers reach this API"),
            (oidc(page="https://shop.net/#login"), "OIDC_FRONTEND_URL must be the login page"),
            (oidc(page="javascript:alert(1)"), "OIDC_FRONTEND_URL must be the login page"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_refuses_what_does_not(self, settings: OidcSettings, reason: str) -> None:
        with pytest.raises(ConfigurationError, match=reason) as raised:
            settings.check(allows_http=False)
        assert "\n" not in str(raised.value)


class TestCheckDeployed:
    @pytest.mark.parametrize(
        ("settings", "reason"),
        [
            (oidc(public="http://api.shop.net"), "OIDC_PUBLIC_URL must begin with https"),
            (oidc(page="http://shop.net/login"), "OIDC_FRONTEND_URL must begin with https"),
            (oidc(clientSecret="change-me"), "The clientSecret of test looks like a placeholder"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_refuses_what_is_not_secure(self, settings: OidcSettings, reason: str) -> None:
        settings.check(allows_http=False)
        with pytest.raises(ConfigurationError, match=reason):
            settings.check_deployed()

    def test_accepts_what_is(self) -> None:
        oidc(page="https://shop.net/login").check_deployed()


@pytest.mark.parametrize(
    "url", [None, 7, "", "https://", "//idp.shop.net", "ftp://idp.shop.net", "https://[::1", "https://a:b/"]
)
def test_what_is_no_url_is_not_allowed(url: object) -> None:
    assert not is_allowed_url(url, allows_http=True)
