import asyncio
import socket
import ssl
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

import urllib3
from cryptography import x509
from pymongo.uri_parser import parse_uri

from src.core.config import Settings
from src.core.preflight import reason_of
from src.manage.doctor.check import Examination
from src.manage.doctor.finding import CheckError
from src.utils.date import utc_now

DAYS_LEFT = 14
SECONDS = 3
_PORTS = {"https": 443, "rediss": 6379, "amqps": 5671}
# PostgreSQL begins without TLS: the length of the message, and the code of SSLRequest.
_SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")

Address = tuple[str, int]


async def check_cors(examination: Examination) -> str:
    """Pages of each of `CORS_ORIGINS` may upload to the bucket, and read the ETag of a part."""
    settings = examination.resources.settings
    if not settings.cors.origins:
        return "CORS_ORIGINS names none."
    url = f"{settings.s3.public_endpoint}/{settings.s3.bucket}/doctor"
    for origin in settings.cors.origins:
        if not await asyncio.to_thread(_may_upload, url, origin):
            raise CheckError(
                f"Pages of {origin} may not upload to {settings.s3.bucket}.", "Set CORS on the bucket: docs/files.md."
            )
    return f"Pages of {', '.join(settings.cors.origins)} may upload."


def _may_upload(url: str, origin: str) -> bool:
    headers = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
    answer = urllib3.request("OPTIONS", url, headers=headers, timeout=SECONDS, retries=False)
    allowed = answer.headers.get("Access-Control-Allow-Origin")
    methods = answer.headers.get("Access-Control-Allow-Methods", "*")
    return allowed in ("*", origin) and any(method in methods for method in ("PUT", "*"))


async def check_certificates(examination: Examination) -> str:
    """Each certificate that processes and browsers see is valid for two weeks more."""
    servers = dict(encrypted_servers(examination.resources.settings))
    ends = await asyncio.gather(*(asyncio.to_thread(_read_end, name, address) for name, address in servers.items()))
    for name, end in sorted(zip(servers, ends, strict=True), key=lambda pair: pair[1]):
        days = (end - utc_now()).days
        if days < DAYS_LEFT:
            verb = "expired" if end <= utc_now() else f"expires in {days} days,"
            raise CheckError(f"The certificate of {name} {verb} on {end:%Y-%m-%d}.", "Renew it.")
    return f"{', '.join(servers)}: valid until {min(ends):%Y-%m-%d}." if ends else "No server is reached by TLS."


def encrypted_servers(settings: Settings) -> Iterator[tuple[str, Address]]:
    """The servers that the settings reach by TLS; of several behind one URL, the first."""
    sql = settings.sql.url
    mode = parse_qs(urlsplit(str(sql.query.get("dsn", ""))).query).get("sslmode", ["disable"])[0]
    if mode not in ("disable", "allow", "prefer"):
        yield "PostgreSQL", (sql.host or "localhost", sql.port or 5432)
    urls = {"Redis": settings.redis.url, "broker": settings.CELERY_BROKER_URL}
    urls |= {"S3": settings.s3.endpoint, "S3 for browsers": settings.s3.public_endpoint}
    for name, url in urls.items():
        parts = urlsplit(url.partition(",")[0])
        scheme = parts.scheme.partition("+")[0]
        if scheme in _PORTS and parts.hostname:
            yield name, (parts.hostname, parts.port or _PORTS[scheme])
    options = {key.lower(): values[-1] for key, values in parse_qs(urlsplit(settings.mongo.url).query).items()}
    if "true" in (options.get("tls"), options.get("ssl")):
        host, port = parse_uri(settings.mongo.url)["nodelist"][0]
        yield "MongoDB", (host, port)


def _read_end(name: str, address: Address) -> datetime:
    """When the certificate of a server expires. Whether it is trusted is part of the store's own check."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection(address, SECONDS) as connection:
            if name == "PostgreSQL":
                connection.sendall(_SSL_REQUEST)
                connection.recv(1)
            with context.wrap_socket(connection, server_hostname=address[0]) as encrypted:
                certificate = encrypted.getpeercert(binary_form=True)
    except OSError as error:
        host, port = address
        raise CheckError(f"{name} at {host}:{port} shows no certificate: {reason_of(error)}.", "Start it.") from error
    return x509.load_der_x509_certificate(certificate or b"").not_valid_after_utc
