"""An OpenID provider on the loopback address, which signs with keys of its own and misbehaves when it is told to."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jws
from joserfc.jwk import RSAKey
from joserfc.jws import JWSRegistry

CLIENT_ID, CLIENT_SECRET = "shop", "made up for tests 7f0c"
ACCESS_TOKEN = "access"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"

Json = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]


@cache
def key(number: int) -> RSAKey:
    """One of the keys that tests sign with, made once: that is slow."""
    return RSAKey.generate_key(2048, {"kid": f"key-{number}", "use": "sig"})


def signed(claims: object, by: RSAKey, **header: Any) -> str:
    """A token as the provider signs it; `header` changes its header, None takes a part of it away."""
    fields = {"alg": "RS256", "kid": by.kid, "typ": "JWT", **header}
    registry = JWSRegistry(algorithms=[fields["alg"]], strict_check_header=False)
    known = {name: value for name, value in fields.items() if value is not None}
    return jws.serialize_compact(known, json.dumps(claims), by, registry=registry)


class OpenIDProvider:
    """The provider, and the person who logs in there.

    Attributes:
        claims: What ID tokens say of the person.
        keys: The published keys; the last one signs.
        metadata: What the discovery document has besides.
        change: Changes the claims of the next ID tokens.
        sign: Makes tokens of claims.
        logged_in_at: When the person logged in at the provider, in Unix seconds; ID tokens say so unless it is None.
            `prompt=login` has them log in again.
        answers: Instead of the right response, by path.
        requests: The paths that were asked for.
    """

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.reset()

    def reset(self) -> None:
        """Behave, as somebody new."""
        self.claims: Json = {"sub": secrets.token_hex(8), "sid": secrets.token_hex(8)}
        self.user_info: Json = {}
        self.logged_in_at: int | None = None
        self.keys = [key(0)]
        self.metadata: Json = {}
        self.change: Callable[[Json], None] = lambda _claims: None
        self.sign: Callable[[Json], str] = lambda claims: signed(claims, self.keys[-1])
        self.answers: dict[str, Callable[[], Answer]] = {}
        self.requests: list[str] = []
        self.answers_with_iss = False
        self._codes: dict[str, Json] = {}

    def id_token(self, nonce: str) -> Json:
        """The claims of an ID token."""
        now = int(time.time())
        half = hashlib.sha256(ACCESS_TOKEN.encode()).digest()[:16]
        standard = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce}
        asked = {} if self.logged_in_at is None else {"auth_time": self.logged_in_at}
        return {**standard, "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(), **asked, **self.claims}

    def logout_token(self, **changes: Any) -> Json:
        """The claims of a logout token for the person's session; a change to None takes a claim away."""
        now = int(time.time())
        standard = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 120, "jti": secrets.token_hex(8)}
        claims = {**standard, "events": {LOGOUT_EVENT: {}}, "sub": self.claims["sub"], "sid": self.claims["sid"]}
        return {name: value for name, value in {**claims, **changes}.items() if value is not None}

    def respond(self, path: str, query: dict[str, str], form: dict[str, str], authorization: str) -> Answer:
        """The response to a request."""
        self.requests.append(path)
        if path in self.answers:
            return self.answers[path]()
        match path:
            case "/.well-known/openid-configuration":
                return _json(200, self._discovery())
            case "/jwks":
                return _json(200, {"keys": [each.as_dict(private=False) for each in self.keys]})
            case "/authorize":
                return self._authorize(query)
            case "/token":
                return self._token(form, authorization)
            case "/userinfo" if authorization.startswith("Bearer "):
                return _json(200, {"sub": self.claims["sub"], **self.user_info})
        return _json(404, {"error": "not_found"})

    def _discovery(self) -> Json:
        endpoints = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
        return {
            "issuer": self.issuer,
            **{name: f"{self.issuer}/{path}" for name, path in endpoints.items()},
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            "authorization_response_iss_parameter_supported": self.answers_with_iss,
            **self.metadata,
        }

    def _authorize(self, query: dict[str, str]) -> Answer:
        """Log the person in, and send the browser back with a code."""
        if (
            query["response_type"] != "code"
            or query["client_id"] != CLIENT_ID
            or query["code_challenge_method"] != "S256"
        ):
            return _json(400, {"error": "invalid_request"})
        if query.get("prompt") == "login" and self.logged_in_at is not None:
            self.logged_in_at = int(time.time())
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        values = {"code": code, "state": query["state"], **({"iss": self.issuer} if self.answers_with_iss else {})}
        return 302, {"Location": f"{query['redirect_uri']}?{urlencode(values)}"}, b""

    def _token(self, form: dict[str, str], authorization: str) -> Answer:
        """Exchange a code once, for the client with the secret, the verifier and the same redirect URI."""
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if authorization != f"Basic {expected}":
            return _json(401, {"error": "invalid_client"})
        asked = self._codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or challenge != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return _json(400, {"error": "invalid_grant"})
        claims = self.id_token(asked["nonce"])
        self.change(claims)
        tokens = {
            "access_token": ACCESS_TOKEN,
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": self.sign(claims),
        }
        return _json(200, tokens)


def _json(status: int, content: Json) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(content).encode()


@contextmanager
def openid_provider() -> Iterator[OpenIDProvider]:
    """Run a provider in a thread."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            self._answer({name: values[0] for name, values in parse_qs(body).items()})

        def _answer(self, form: dict[str, str]) -> None:
            url = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            status, headers, body = provider.respond(url.path, query, form, self.headers.get("Authorization", ""))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        provider = OpenIDProvider(listener.server_port)
        thread = Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield provider
        finally:
            listener.shutdown()
            thread.join()
