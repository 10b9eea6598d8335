DEFAULTS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    # Responses of an API are not pages: nothing in them may run, load or be framed.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
DEPLOYED = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}
PRIVATE = {"Cache-Control": "no-store"}

RawHeaders = list[tuple[bytes, bytes]]


class SecurityHeaders:
    """Adds security headers to responses, and `no-store` to those of the API; headers of a route take precedence."""

    def __init__(self, *, deployed: bool) -> None:
        everywhere = DEFAULTS | DEPLOYED if deployed else DEFAULTS
        self._everywhere = _raw(everywhere)
        self._api = _raw(everywhere | PRIVATE)

    def add(self, path: str, headers: RawHeaders) -> None:
        """Add the missing headers to the response of a path."""
        required = self._api if path.startswith("/api/") else self._everywhere
        present = {name for name, _ in headers}
        headers += required.values() if present.isdisjoint(required) else _without(required, present)


def _without(required: dict[bytes, tuple[bytes, bytes]], present: set[bytes]) -> RawHeaders:
    return [header for name, header in required.items() if name not in present]


def _raw(headers: dict[str, str]) -> dict[bytes, tuple[bytes, bytes]]:
    """The headers as ASGI needs them, by name."""
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return {header[0]: header for header in encoded}
