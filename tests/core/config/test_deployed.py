import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from src.core.config import Settings
from tests.core.conftest import pem
from tests.support.stores import ROOT

DEPLOYED = ["STAGING", "PRODUCTION"]
SHORT = "aB3$dE6&gH9(kL2@"
PLACEHOLDERS = [
    "your_access_token_key_of_32_bytes_or_more",
    "CHANGE-ME-before-you-deploy-this-please-1234",
    "this-is-a-Secret-key-that-everybody-knows-987",
    "abababababababababababababababababababab",
]


def refusal(root: Path) -> str:
    with pytest.raises(SystemExit) as refused:
        Settings.load(root)
    return str(refused.value)


@pytest.fixture(params=DEPLOYED)
def environment(request: pytest.FixtureRequest, deployed: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ENVIRONMENT", request.param)
    return str(request.param)


class TestDeployed:
    def test_valid_settings_are_accepted(self, environment: str, deployed: Path) -> None:
        assert environment == Settings.load(deployed).ENVIRONMENT


@pytest.mark.usefixtures("environment")
class TestRow06Keys:
    @pytest.mark.parametrize("name", ["ACCESS_TOKEN_KEY", "REFRESH_TOKEN_KEY", "RSA_PRIVATE_KEY"])
    def test_a_missing_key_is_refused(self, deployed: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.delenv(name)
        assert refusal(deployed).startswith(f"{name} must be set")

    @pytest.mark.parametrize("name", ["ACCESS_TOKEN_KEY", "REFRESH_TOKEN_KEY"])
    @pytest.mark.parametrize("value", [SHORT, *PLACEHOLDERS])
    def test_a_weak_key_is_refused(
        self, deployed: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(name, value)
        assert refusal(deployed).startswith(name)

    @pytest.mark.parametrize("value", [SHORT, *PLACEHOLDERS])
    def test_a_refused_key_is_not_shown(self, deployed: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        monkeypatch.setenv("ACCESS_TOKEN_KEY", value)
        assert value not in refusal(deployed)

    def test_spaces_do_not_lengthen_a_key(self, deployed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ACCESS_TOKEN_KEY", SHORT + " " * 32)
        assert "at least 32 bytes" in refusal(deployed)

    def test_one_key_for_both_tokens_is_refused(self, deployed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REFRESH_TOKEN_KEY", Settings.load(deployed).auth.access_token_key.get_secret_value())
        assert "must differ" in refusal(deployed)


@pytest.mark.usefixtures("environment")
class TestRow41Origins:
    @pytest.mark.parametrize("value", ['["*"]', '["https://shop.example", "*"]'])
    def test_a_wildcard_is_refused(self, deployed: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        monkeypatch.setenv("CORS_ORIGINS", value)
        assert refusal(deployed).startswith("CORS_ORIGINS")

    @pytest.mark.parametrize("value", [".*", ".+", "https://.*", r"https?://[^/]+"])
    def test_a_pattern_for_every_origin_is_refused(
        self, deployed: Path, monkeypatch: pytest.MonkeyPatch, value: str
    ) -> None:
        monkeypatch.setenv("CORS_ORIGINS_REGEX", value)
        assert refusal(deployed).startswith("CORS_ORIGINS")

    def test_a_pattern_for_some_origins_is_accepted(self, deployed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CORS_ORIGINS_REGEX", r"https://[a-z]+\.shop\.example")
        assert Settings.load(deployed).cors.origins_regex


SOCKETS = {
    "postgresql": ("SQL_DATABASE_URL", "postgresql://app@/app?host=/run/postgresql"),
    "redis": ("REDIS_DATABASE_URL", "unix:///run/redis/redis.sock"),
    "mongodb": ("MONGO_DATABASE_URL", "mongodb://%2Frun%2Fmongodb.sock/app"),
}


@pytest.mark.usefixtures("environment")
class TestRow62Stores:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("SQL_DATABASE_URL", "postgresql://db.example/app"),
            ("SQL_DATABASE_URL", "postgresql://postgres:postgres@db.example/app"),
            ("SQL_DATABASE_URL", "postgresql://app:a@db.example/app"),
            ("SQL_DATABASE_URL", "postgresql://application:application@db.example/app"),
            ("SQL_DATABASE_URL", "postgresql://app:aaaaaaaaaaaa@db.example/app"),
            ("SQL_REPLICA_URL", "postgresql://app@replica.example/app"),
            ("SQL_DATABASES", '{"reports": "mysql://app@reports.example/app"}'),
            ("REDIS_DATABASE_URL", "redis://redis.example/0"),
            ("REDIS_DATABASE_URL", "rediss://:x@redis.example/0"),
            ("CELERY_REDIS_URL", "redis://broker.example/0"),
            ("MONGO_DATABASE_URL", "mongodb://mongo.example/app"),
            ("MONGO_DATABASE_URL", "mongodb://root:root@mongo.example/app"),
            ("MINIO_ROOT_PASSWORD", "minioadmin"),
            ("MINIO_ROOT_PASSWORD", ""),
            ("MINIO_ROOT_PASSWORD", "%61"),
        ],
    )
    def test_without_a_good_password_are_refused_in_one_line(
        self, deployed: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(name, value)
        monkeypatch.setenv("ALLOW_INSECURE_STORES", "postgresql,redis,mongodb")  # none of them is on a socket
        assert re.fullmatch(
            r"(The password of \w+|MINIO_ROOT_PASSWORD) (is missing|is weak|looks like).*", refusal(deployed)
        )

    @pytest.mark.parametrize("store", SOCKETS)
    def test_on_a_socket_are_accepted_if_they_are_named(
        self, deployed: Path, monkeypatch: pytest.MonkeyPatch, store: str
    ) -> None:
        monkeypatch.setenv(*SOCKETS[store])
        if store == "redis":
            monkeypatch.setenv("CELERY_REDIS_URL", "redis://:m3Xv-8rT1@redis.example/1")
        assert "is missing" in refusal(deployed)
        monkeypatch.setenv("ALLOW_INSECURE_STORES", ", ".join(SOCKETS.keys() - {store}))
        assert "is missing" in refusal(deployed)
        monkeypatch.setenv("ALLOW_INSECURE_STORES", store)
        assert Settings.load(deployed).app.insecure_stores == [store]

    def test_a_store_that_cannot_be_named_is_refused(self, deployed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALLOW_INSECURE_STORES", "s3")
        assert "ALLOW_INSECURE_STORES" in refusal(deployed)

    @pytest.mark.parametrize("value", ["null", "https://shop.example, null", "file://", "shop.example", "https://"])
    def test_origins_that_are_no_site_are_refused(
        self, deployed: Path, monkeypatch: pytest.MonkeyPatch, value: str
    ) -> None:
        monkeypatch.setenv("CORS_ORIGINS", value)
        assert refusal(deployed).startswith("CORS_ORIGINS")

    @pytest.mark.parametrize("value", ["null|https://shop.example", ".*ull"])
    def test_patterns_that_match_null_are_refused(
        self, deployed: Path, monkeypatch: pytest.MonkeyPatch, value: str
    ) -> None:
        monkeypatch.setenv("CORS_ORIGINS_REGEX", value)
        assert refusal(deployed).startswith("CORS_ORIGINS")

    @pytest.mark.parametrize("value", ["https://shop.example:8443", "http://127.0.0.1:3000", "capacitor://localhost"])
    def test_other_origins_are_accepted(self, deployed: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        monkeypatch.setenv("CORS_ORIGINS", value)
        assert Settings.load(deployed).cors.origins == [value]


class TestRow29RsaKey:
    def test_pem_text_is_accepted(self, deployed: Path) -> None:
        assert Settings.load(deployed).auth.rsa_private_key.key_size == 3072

    def test_pem_text_on_one_line_is_accepted(
        self, deployed: Path, monkeypatch: pytest.MonkeyPatch, rsa_pem: str
    ) -> None:
        monkeypatch.setenv("RSA_PRIVATE_KEY", rsa_pem.replace("\n", "\\n"))
        assert Settings.load(deployed).auth.rsa_private_key.key_size == 3072

    def test_a_path_is_accepted(self, deployed: Path, monkeypatch: pytest.MonkeyPatch, rsa_pem: str) -> None:
        (deployed / "key.pem").write_text(rsa_pem)
        monkeypatch.setenv("RSA_PRIVATE_KEY", str(deployed / "key.pem"))
        assert Settings.load(deployed).auth.rsa_private_key.key_size == 3072

    def test_a_path_without_a_file_is_refused(self, deployed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RSA_PRIVATE_KEY", str(deployed / "missing.pem"))
        assert "RSA_PRIVATE_KEY" in refusal(deployed)

    def test_2048_bits_are_refused(self, deployed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RSA_PRIVATE_KEY", pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)))
        assert "at least 3072 bits" in refusal(deployed)

    def test_another_kind_of_key_is_refused(self, deployed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        text = key.private_bytes(encoding, form, serialization.NoEncryption()).decode()
        monkeypatch.setenv("RSA_PRIVATE_KEY", text)
        assert refusal(deployed).startswith("RSA_PRIVATE_KEY")

    def test_a_broken_key_is_refused_without_showing_it(
        self, deployed: Path, monkeypatch: pytest.MonkeyPatch, rsa_pem: str
    ) -> None:
        monkeypatch.setenv("RSA_PRIVATE_KEY", rsa_pem[:400])
        assert rsa_pem[100:160] not in refusal(deployed)

    @pytest.mark.parametrize("environment", ["TESTING", *DEPLOYED])
    def test_a_public_key_of_another_pair_is_refused(
        self, deployed: Path, monkeypatch: pytest.MonkeyPatch, environment: str
    ) -> None:
        other = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
        encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        monkeypatch.setenv("RSA_PUBLIC_KEY", other.public_bytes(encoding, form).decode())
        monkeypatch.setenv("ENVIRONMENT", environment)
        assert "does not belong" in refusal(deployed)


class TestRow06Debug:
    @pytest.mark.parametrize("environment", ["LOCAL", "TESTING"])
    def test_no_keys_are_needed(self, root: Path, monkeypatch: pytest.MonkeyPatch, environment: str) -> None:
        monkeypatch.setenv("ENVIRONMENT", environment)
        assert len(Settings.load(root).auth.access_token_key.get_secret_value()) >= 32

    def test_generated_keys_differ(self, root: Path) -> None:
        auth = Settings.load(root).auth
        assert auth.access_token_key != auth.refresh_token_key


@pytest.mark.process
class TestRow06Process:
    @pytest.mark.parametrize("name", ["ACCESS_TOKEN_KEY", "RSA_PRIVATE_KEY"])
    def test_it_exits_with_code_1_and_one_line(
        self, deployed: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setenv(name, "your_key")
        command = [sys.executable, "-c", "import src.main"]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own
        output = (ended.stdout + ended.stderr).splitlines()
        assert (ended.returncode, len(output), output[0][: len(name)]) == (1, 1, name)
