"""The URLs that Celery wants for a Redis URL as redis-py understands it."""

from urllib.parse import parse_qsl, urlencode, urlsplit


def celery_urls(url: str) -> tuple[str, str]:
    """The URLs of broker and result backend for a Redis URL (`redis`, `rediss` or `unix`).

    TLS certificates are verified unless the URL says otherwise: Celery refuses a `rediss` URL that does not say, and
    kombu would connect without TLS.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if parts.scheme == "rediss":
        query.setdefault("ssl_cert_reqs", "required")
        secured = parts._replace(query=urlencode(query)).geturl()
        return secured, secured
    if parts.scheme == "unix":
        database = query.pop("db", "0")
        socket = f"socket://{parts.netloc}{parts.path}?{urlencode({**query, 'virtual_host': database})}"
        return f"redis+{socket}", socket
    return url, url
