from pathlib import Path

import pytest

from src.core.config import Settings

SHOP = {"EMAIL_FROM": "Shop <noreply@shop.net>", "EMAIL_LINK_URL": "https://shop.net"}


@pytest.fixture
def load(root: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    def load(**variables: str) -> Settings:
        for name, value in {**SHOP, **variables}.items():
            monkeypatch.setenv(name, value)
        return Settings.load(root)

    return load


@pytest.mark.unit
class TestTheServer:
    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("smtps://u%40x:p%2F@mail.net", ("mail.net", 465, "u@x", "p/", "implicit")),
            ("smtp://mail.net", ("mail.net", 587, None, None, "starttls")),
            ("smtp://mail.net:25?starttls=false", ("mail.net", 25, None, None, "none")),
            ("smtp://127.0.0.1:1025", ("127.0.0.1", 1025, None, None, "none")),
            ("smtp://[::1]:1025", ("::1", 1025, None, None, "none")),
        ],
    )
    def test_is_read_from_the_url(self, load, url: str, expected: tuple[object, ...]) -> None:  # type: ignore[no-untyped-def]  # a function
        email = load(SMTP_URL=url).email
        assert (email.enabled, email.server) == (True, expected)

    def test_is_none_by_default(self, load) -> None:  # type: ignore[no-untyped-def]  # as above
        assert load().email.enabled is False

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("SMTP_URL", "mail.net:25"),
            ("SMTP_URL", "http://u:topsecret@mail.net"),
            ("SMTP_URL", "smtp://u:topsecret@mail.net:port"),
            ("SMTP_URL", "smtp://u:topsecret@:25"),
            ("EMAIL_FROM", ""),
            ("EMAIL_FROM", "Shop"),
            ("EMAIL_FROM", "Shop <a@shop.net>\nBcc: b@shop.net"),
            ("EMAIL_LINK_URL", ""),
            ("EMAIL_LINK_URL", "shop.net"),
            ("EMAIL_LINK_URL", "https://shop.net/#"),
            ("EMAIL_LANGUAGE", "fr"),
        ],
    )
    def test_stops_the_start_if_it_is_unusable(self, load, name: str, value: str) -> None:  # type: ignore[no-untyped-def]  # as above
        with pytest.raises(SystemExit, match=name) as raised:
            load(**{"SMTP_URL": "smtp://mail.net", name: value})
        assert "topsecret" not in str(raised.value)
        assert "\n" not in str(raised.value)


class TestDeployed:
    @pytest.mark.parametrize(
        ("variables", "reason"),
        [
            ({"EMAIL_LINK_URL": "http://shop.net"}, "EMAIL_LINK_URL must begin with https://"),
            ({"SMTP_URL": "smtp://mail.net?starttls=false"}, "SMTP_URL has starttls=false"),
            ({"SMTP_URL": "smtp://u:change-me@mail.net"}, "The password of SMTP_URL looks like a placeholder"),
        ],
    )
    def test_weak_settings_are_refused(
        self, deployed: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], reason: str
    ) -> None:
        for name, value in {"SMTP_URL": "smtp://mail.net", **SHOP, **variables}.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit, match=reason):
            Settings.load(deployed)

    @pytest.mark.parametrize(
        "variables",
        [
            {"SMTP_URL": "smtp://mail.net"},
            {"SMTP_URL": "smtp://127.0.0.1:1025"},
            {"SMTP_URL": "smtp://mail.net?starttls=false", "ALLOW_INSECURE_STORES": "smtp"},
        ],
    )
    def test_others_are_accepted(
        self, deployed: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
    ) -> None:
        for name, value in {**variables, **SHOP}.items():
            monkeypatch.setenv(name, value)
        assert Settings.load(deployed).email.enabled


class TestCaughtEmails:
    def test_are_shown_in_local(self, load, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]  # as above
        assert load(EMAIL_CAUGHT_DIRECTORY=str(tmp_path)).email.caught_directory == tmp_path
        assert load(EMAIL_CAUGHT_DIRECTORY="").email.caught_directory is None

    def test_stop_the_start_of_a_test_environment(self, load, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]  # as above
        with pytest.raises(SystemExit, match=r"EMAIL_CAUGHT_DIRECTORY is for ENVIRONMENT=LOCAL only.*$") as raised:
            load(ENVIRONMENT="TESTING", EMAIL_CAUGHT_DIRECTORY=str(tmp_path))
        assert "\n" not in str(raised.value)

    @pytest.mark.parametrize("environment", ["STAGING", "PRODUCTION"])
    def test_stop_the_start_where_it_is_deployed(
        self, deployed: Path, monkeypatch: pytest.MonkeyPatch, environment: str
    ) -> None:
        monkeypatch.setenv("ENVIRONMENT", environment)
        monkeypatch.setenv("EMAIL_CAUGHT_DIRECTORY", "mails")
        with pytest.raises(SystemExit, match="EMAIL_CAUGHT_DIRECTORY"):
            Settings.load(deployed)
