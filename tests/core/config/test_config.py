from pathlib import Path

import pytest

from src.core.config import Settings
from src.core.config.base import ConfigurationError

ELSEWHERE = ["TESTING", "STAGING", "PRODUCTION"]


class TestSources:
    def test_the_environment_wins_over_every_file(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (root / ".env").write_text("APP_NAME=file")
        (root / ".env.local").write_text("APP_NAME=file of the environment")
        monkeypatch.setenv("APP_NAME", "process")
        assert Settings.load(root).app.name == "process"

    def test_the_file_of_the_environment_wins_over_the_common_one(self, root: Path) -> None:
        (root / ".env").write_text("APP_NAME=common")
        (root / ".env.local").write_text("APP_NAME=local")
        assert Settings.load(root).app.name == "local"

    def test_the_common_file_wins_over_the_embedded_stores(self, root: Path) -> None:
        (root / ".env").write_text("REDIS_DATABASE_URL=redis://mine/0")
        (root / ".local" / "env").write_text("REDIS_DATABASE_URL=redis://embedded/0")
        assert Settings.load(root).REDIS_DATABASE_URL == "redis://mine/0"

    def test_embedded_stores_are_used_without_other_settings(self, root: Path) -> None:
        (root / ".local" / "env").write_text("REDIS_DATABASE_URL='redis://embedded/0'\n")
        assert Settings.load(root).REDIS_DATABASE_URL == "redis://embedded/0"

    @pytest.mark.parametrize("environment", ELSEWHERE)
    def test_embedded_stores_are_only_used_in_local(
        self, deployed: Path, monkeypatch: pytest.MonkeyPatch, environment: str
    ) -> None:
        monkeypatch.setenv("ENVIRONMENT", environment)
        monkeypatch.delenv("REDIS_DATABASE_URL")
        (deployed / ".local" / "env").write_text("REDIS_DATABASE_URL=redis://embedded/0")
        with pytest.raises(SystemExit, match="REDIS_DATABASE_URL"):
            _ = Settings.load(deployed).REDIS_DATABASE_URL

    def test_the_common_file_may_choose_the_environment(self, root: Path) -> None:
        (root / ".env").write_text("ENVIRONMENT=TESTING")
        (root / ".env.testing").write_text("APP_NAME=tests")
        settings = Settings.load(root)
        assert (settings.ENVIRONMENT, settings.app.name) == ("TESTING", "tests")

    def test_the_file_of_another_environment_is_not_read(self, root: Path) -> None:
        (root / ".env.production").write_text("APP_NAME=production")
        assert Settings.load(root).app.name != "production"

    def test_an_empty_value_counts_as_not_set(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CELERY_TIMEZONE", "")
        assert Settings.load(root).CELERY_TIMEZONE == "UTC"

    @pytest.mark.parametrize("value", ['["polling", "websocket"]', "polling, websocket"], ids=["JSON", "commas"])
    def test_a_list_is_json_or_comma_separated(self, root: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        monkeypatch.setenv("SOCKETIO_TRANSPORTS", value)
        monkeypatch.setenv("CORS_HEADERS", value)
        settings = Settings.load(root)
        assert settings.sockets.transports == settings.cors.headers == ["polling", "websocket"]

    def test_the_default_environment_is_local(self, root: Path) -> None:
        assert Settings.load(root).ENVIRONMENT == "LOCAL"


SQL_PARTS = {
    "POSTGRESQL_HOST": "db",
    "POSTGRESQL_PORT": "15432",
    "POSTGRESQL_USERNAME": "us er",
    "POSTGRESQL_PASSWORD": "p@ss/w:rd%",
    "POSTGRESQL_DATABASE": "shop",
}
REDIS_PARTS = {"REDIS_HOST": "cache", "REDIS_PORT": "16379", "REDIS_ROOT_PASSWORD": "p@ss/w:rd%", "REDIS_DATABASE": "3"}
MONGO_PARTS = {
    "MONGO_HOST": "documents",
    "MONGO_PORT": "17017",
    "MONGO_INITDB_ROOT_USERNAME": "root",
    "MONGO_INITDB_ROOT_PASSWORD": "p@ss/w:rd%",
}
BY_PARTS = [
    ("SQL_DATABASE_URL", SQL_PARTS, "postgresql+asyncpg://us er:p%40ss%2Fw%3Ard%25@db:15432/shop"),
    ("REDIS_DATABASE_URL", REDIS_PARTS, "redis://:p%40ss%2Fw%3Ard%25@cache:16379/3"),
    ("MONGO_DATABASE_URL", MONGO_PARTS, "mongodb://root:p%40ss%2Fw%3Ard%25@documents:17017/"),
]
URLS = {
    "SQL_DATABASE_URL": "postgresql+asyncpg://a:b@elsewhere/c",
    "REDIS_DATABASE_URL": "redis://elsewhere/7",
    "MONGO_DATABASE_URL": "mongodb://elsewhere/c",
    "MINIO_ENDPOINT": "https://elsewhere",
}


class TestStores:
    @pytest.mark.parametrize(("name", "parts", "url"), BY_PARTS)
    def test_parts_make_a_url_with_the_password_escaped(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, name: str, parts: dict[str, str], url: str
    ) -> None:
        for part, value in parts.items():
            monkeypatch.setenv(part, value)
        assert getattr(Settings.load(root), name) == url

    @pytest.mark.parametrize(("name", "parts", "url"), BY_PARTS)
    def test_the_url_wins_over_its_parts(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, name: str, parts: dict[str, str], url: str
    ) -> None:
        for part, value in {**parts, name: URLS[name]}.items():
            monkeypatch.setenv(part, value)
        assert getattr(Settings.load(root), name) == URLS[name] != url

    @pytest.mark.parametrize("name", URLS)
    def test_a_store_without_an_address_is_reported_by_its_setting(self, root: Path, name: str) -> None:
        settings = Settings.load(root)
        with pytest.raises(SystemExit, match=f"{name} is not set"):
            getattr(settings, name)

    def test_an_endpoint_without_a_scheme_is_http(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MINIO_ENDPOINT", "minio:9000")
        assert Settings.load(root).MINIO_ENDPOINT == "http://minio:9000"

    def test_celery_needs_a_server_of_its_own_beside_sentinels(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REDIS_DATABASE_URL", "redis+sentinel://:pw@one,two/0?master_name=m")
        settings = Settings.load(root)
        assert settings.redis.url_of_database(3) == "redis+sentinel://:pw@one,two/3?master_name=m"
        with pytest.raises(ConfigurationError, match="CELERY_REDIS_URL must name one server"):
            settings.check_broker()
        monkeypatch.setenv("CELERY_REDIS_URL", "redis://:pw@broker/0")
        Settings.load(root).check_broker()

    def test_a_cluster_is_refused_in_one_line(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REDIS_DATABASE_URL", "redis+cluster://:pw@one/0")
        with pytest.raises(ConfigurationError, match=r"^REDIS_DATABASE_URL names a Redis Cluster, .*$"):
            _ = Settings.load(root).REDIS_DATABASE_URL

    def test_celery_uses_another_database_of_the_same_redis(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REDIS_DATABASE_URL", "redis://:pw@cache:6379/0")
        assert str(Settings.load(root).CELERY_REDIS_URL) == "redis://:pw@cache:6379/1"

    def test_celery_may_have_its_own_redis(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REDIS_DATABASE_URL", "redis://cache:6379/0")
        monkeypatch.setenv("CELERY_REDIS_URL", "redis://broker:6379/5")
        assert str(Settings.load(root).CELERY_REDIS_URL) == "redis://broker:6379/5"


REFUSED = [
    ("ENVIRONMENT", "NOWHERE"),
    ("CELERY_TIMEZONE", "Mars/Olympus"),
    ("CELERY_TIMEZONE", "../../etc/passwd"),
    ("POSTGRESQL_PORT", "65536"),
    ("SQL_POOL_SIZE", "0"),
    ("ACCESS_TOKEN_EXP", "901"),
    ("MAX_BODY_BYTES", "lots"),
]


class TestValues:
    @pytest.mark.parametrize(("name", "value"), REFUSED)
    def test_an_unusable_value_is_refused_by_name_in_one_line(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as refusal:
            Settings.load(root)
        assert name in str(refusal.value)
        assert "\n" not in str(refusal.value)

    def test_all_invalid_values_are_reported_at_once(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ACCESS_TOKEN_EXP", "0")
        monkeypatch.setenv("PASSWORD_HASH_QUEUE", "0")
        with pytest.raises(SystemExit, match=r"ACCESS_TOKEN_EXP.*PASSWORD_HASH_QUEUE"):
            Settings.load(root)

    def test_settings_do_not_show_their_secrets(self, deployed: Path) -> None:
        assert "qW7-0hV3kZ" not in repr(Settings.load(deployed).auth)
