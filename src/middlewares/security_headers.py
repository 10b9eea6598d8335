DEFAULTS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    # An API's answers are no pages: nothing in them may run, load or be framed.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
DEPLOYED = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}
PRIVATE = {"Cache-Control": "no-store"}

RawHeaders = list[tuple[bytes, bytes]]


class SecurityHeaders:
    """Tells browsers to be careful, and everybody not to keep answers of the API; a route's own header wins."""

    def __init__(self, *, deployed: bool) -> None:
        everywhere = DEFAULTS | DEPLOYED if deployed else DEFAULTS
        self._everywhere = _raw(everywhere)
        self._api = _raw(everywhere | PRIVATE)

    def add(self, path: str, headers: RawHeaders) -> None:
        """Add what is missing to the headers of an answer from there."""
        wanted = self._api if path.startswith("/api/") else self._everywhere
        present = {name for name, _ in headers}
        headers += wanted.values() if present.isdisjoint(wanted) else _without(wanted, present)


def _without(wanted: dict[bytes, tuple[bytes, bytes]], present: set[bytes]) -> RawHeaders:
    return [header for name, header in wanted.items() if name not in present]


def _raw(headers: dict[str, str]) -> dict[bytes, tuple[bytes, bytes]]:
    """By name, as ASGI wants them."""
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return {header[0]: header for header in encoded}
