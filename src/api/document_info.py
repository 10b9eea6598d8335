"""What the OpenAPI document says of the API as a whole: introduction, tags, contact, licence and servers."""

from typing import Any

from src.core.config import Settings

_INTRODUCTION = """
Events, by Socket.IO: [/asyncapi](/asyncapi).

## Log in

In Swagger UI, click **Authorize** and enter username and password. Programs get a public key and a challenge from
`GET /api/v1/auth/keys/public`, encrypt the UTF-8 JSON `{"p": password, "c": challenge}` with RSA-OAEP (SHA-256), and
send the Base64 of the result to `POST /api/v1/auth/login`. The access token is sent as `Authorization: Bearer`; it
expires after `expiresIn` seconds. The refresh token is exchanged for a new pair at `POST /api/v1/auth/token/refresh`,
once, and from the same `User-Agent`. Machines send an API key as `Authorization: Bearer` instead, which somebody makes
for them at `POST /api/v1/api-keys`.

## Responses

Every JSON response under `/api` has the same envelope:

```json
{"code": 200, "message": "Success.", "ts": 1767268800, "data": {}}
```

`code` repeats the HTTP status, `ts` is the time in Unix seconds, and `data` is what was requested. Keys are camelCase,
times are ISO 8601 in UTC. Every response has the header `X-Request-ID`, which is also in the logs.

## Errors

An error adds `error`, a stable dotted name for programs, and `requestId`. Each operation lists the names that it can
respond with. With status 422, `data` lists the invalid fields. 429 and 503 say in `Retry-After` when to try again. Any
operation may respond with 500 and `internal`, which is a bug, and with 413, 414 or 431 to a request that is too large.

## Lists

Lists are read page by page, `?page=1&pageSize=20`, with the number of rows as `total`; or by cursor, `?limit=20`, where
`nextCursor` is the `cursor` of the next request. Both sort by `?sort=-createTime,name`, and filter by parameters such
as `status=true` and `createTime[gte]=2026-01-01T00:00:00Z`. Unknown parameters are refused.

## Concurrent changes

Rows with an `ETag` can be changed with `If-Match`: the response is 412 if the row has changed in the meantime.
"""

# In the order in which they appear.
_TAGS = {
    "Auth": "Login, sessions and the current user.",
    "User": "Users, their roles and passwords.",
    "Role": "Roles and the permissions that they grant.",
    "Permission": "Who may do what, and why.",
    "Router": "Permission codes of routes and events.",
    "API key": "Keys of users and service accounts, for programs that cannot log in.",
    "Audit": "Who changed what, and when.",
    "Schedule": "Tasks that are sent periodically.",
    "Task": "Registered tasks and their runs.",
    "Operations": "What is going on in all processes.",
    "Notice": "Notices to every user: the example feature.",
    "File": "Uploads and downloads, directly to and from the storage.",
    "Health": "Checks for operators.",
}


def document_info(settings: Settings) -> dict[str, Any]:
    """Arguments of `FastAPI`."""
    return {
        "title": settings.app.name,
        "version": settings.app.version,
        "summary": "REST API; every request and response in JSON.",
        "description": _INTRODUCTION.strip(),
        "openapi_tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "license_info": {"name": "MIT", "identifier": "MIT"},
        "contact": {"name": "The maintainers"},
        "servers": [{"url": "/", "description": "This server."}],
    }
