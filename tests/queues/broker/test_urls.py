"""A worker serves over a Unix socket and over TLS; what the bulk transport cannot serve is left to kombu or refused."""

import os
import ssl
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from kombu import Connection

from scripts.local.ports import LOOPBACK
from src.core.config.base import ConfigurationError
from src.core.config.celery import checked_broker_url
from src.core.config.stores import checked_redis_url
from src.queues.app import BACKEND, app
from src.queues.broker import use_transports
from src.queues.broker.urls import parse_broker, redis_url
from src.queues.celery import Celery
from tests.queues.conftest import Run, free_port
from tests.queues.restartable import RestartableRedis
from tests.support.pools import ASYNCIO
from tests.support.process import Process
from tests.support.waiting import PATIENCE_SECONDS


class TestUrls:
    def test_a_plain_url_stays(self) -> None:
        assert parse_broker("redis://:pw@host:6379/1") == ("redis://:pw@host:6379/1", {}, None)
        assert redis_url("redis://:pw@host:6379/1") == "redis://:pw@host:6379/1"

    def test_certificates_are_verified_unless_the_url_says_otherwise(self) -> None:
        assert parse_broker("rediss://host/1").url == "rediss://host/1?ssl_cert_reqs=required"
        assert redis_url("rediss://host/1?ssl_cert_reqs=none") == "rediss://host/1?ssl_cert_reqs=none"
        verified = {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": None, "ca_certs": "/ca.pem"}
        assert parse_broker("amqps://host/x?ssl_ca_certs=/ca.pem") == (
            "amqps://host/x",
            {"confirm_publish": True},
            verified,
        )
        assert parse_broker("amqps://host/x?ssl_cert_reqs=none").ssl == {"cert_reqs": ssl.CERT_NONE}

    @pytest.mark.parametrize(
        "url",
        [
            "redis+sentinel://:pw@one:26379,two:26380/3?master_name=m&sentinel_password=s",
            "sentinel://:pw@one:26379;sentinel://:pw@two:26380/3?master_name=m&sentinel_password=s",
            "sentinel://:pw@one:26379/3;sentinel://:pw@two:26380/3?master_name=m&sentinel_password=s",
        ],
    )
    def test_sentinels_share_a_database_and_a_master(self, url: str) -> None:
        options = {"master_name": "m", "sentinel_kwargs": {"password": "s"}}
        assert parse_broker(url) == ("sentinel://:pw@one:26379/3;sentinel://:pw@two:26380/3", options, None)

    def test_sentinel_with_tls(self) -> None:
        verified = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": "/ca.pem"}
        assert parse_broker("rediss+sentinel://h:1/0?master_name=m&ssl_ca_certs=/ca.pem").ssl == verified

    def test_rabbitmq_confirms_messages(self) -> None:
        assert parse_broker("amqp://me:pw@host:5672/x") == ("amqp://me:pw@host:5672/x", {"confirm_publish": True}, None)

    @pytest.mark.parametrize("url", ["sqs://key:hunter2@", "memory://", "host:6379", "redis:/hunter2"])
    def test_other_brokers_are_refused_in_one_line(self, url: str) -> None:
        with pytest.raises(ConfigurationError, match=r"^CELERY_BROKER_URL must be a URL of one of these schemes: .*$"):
            checked_broker_url("CELERY_BROKER_URL", url)

    def test_sentinel_without_a_master_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match=r"^CELERY_BROKER_URL must name the master: .*$"):
            checked_broker_url("CELERY_BROKER_URL", "sentinel://host:26379/0")

    @pytest.mark.parametrize("url", ["sentinel://host:26379", "amqp://host", "host:6379"])
    def test_a_result_backend_is_redis(self, url: str) -> None:
        with pytest.raises(ConfigurationError, match=r"^CELERY_REDIS_URL must be a URL such as redis://.*$"):
            checked_redis_url("CELERY_REDIS_URL", url)

    def test_the_environment_does_not_bypass_the_checked_url(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CELERY_BROKER_URL", "redis://from-the-environment/1")  # which Celery reads by itself
        assert app.connection_for_read().as_uri() == app.connection_for_write().as_uri() != app.conf.broker_url


class TestChoosingTheTransport:
    @pytest.mark.parametrize(
        ("url", "transport", "has_tls"),
        [
            ("redis://host/1", "BulkTransport", False),
            ("rediss://host/1?ssl_cert_reqs=required", "BulkTransport", True),
            ("sentinel://host:26379", "BulkSentinelTransport", False),
            ("amqp://host", "Transport", False),
        ],
    )
    def test_only_redis_urls_use_it_and_keep_their_scheme(self, url: str, transport: str, has_tls: bool) -> None:
        use_transports(bulk=True)
        connection = Connection(url)
        assert connection.get_transport_cls().__name__ == transport
        assert bool(connection.ssl) is has_tls
        # What monitors such as Flower recognise the broker by.
        assert connection.as_uri().partition(":")[0] == connection.transport_cls == url.partition(":")[0]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.worker
class TestServing:
    def test_a_unix_socket(self, run: Run, key: str, tmp_path: Path) -> None:
        with RestartableRedis(tmp_path):
            self.check(run, key, f"unix://{tmp_path}/socket?db=2")

    def test_tls(self, run: Run, key: str, tmp_path: Path, stack: ExitStack) -> None:
        certificate, port = create_certificate(tmp_path), free_port()
        with RestartableRedis(tmp_path) as store:
            module = [sys.executable, "-m", "tests.queues.broker.tls_proxy"]
            command = [*module, str(port), str(store.port), str(certificate)]
            proxy = stack.enter_context(Process(command, tmp_path / "proxy", os.environ))
            proxy.wait_for("serving")
            self.check(run, key, f"rediss://{LOOPBACK}:{port}/2?ssl_ca_certs={certificate}")

    def check(self, run: Run, key: str, url: str) -> None:
        """A worker on this broker runs a task, and the result comes back."""
        worker = ASYNCIO.start(run, key, CELERY_REDIS_URL=url)
        worker.wait_for("ready.")
        broker, results = parse_broker(url).url, redis_url(url)
        with Celery("sender", broker=broker, backend=f"{BACKEND}+{results}", set_as_current=False) as sender:
            assert sender.send_task("sample.add", (1, 2), queue=key).get(timeout=PATIENCE_SECONDS) == 3
        assert worker.stop() == 0


def create_certificate(directory: Path) -> Path:
    """A self-signed certificate with its key, for the loopback address."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, LOOPBACK)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = directory / "certificate.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + certificate.public_bytes(pem))
    return path
