import hashlib
import hmac
from datetime import datetime, timedelta
from functools import reduce
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, quote

if TYPE_CHECKING:
    from minio.credentials.credentials import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"


def sign_put(
    url: SplitResult, size: int, *, credentials: "Credentials", region: str, now: datetime, expires: timedelta
) -> str:
    """A URL that takes exactly `size` bytes: Signature Version 4, in the query, over the length as well.

    The SDK signs the host alone, so its URLs take any amount. Browsers send the length by themselves.
    """
    scope = f"{now:%Y%m%d}/{region}/s3/aws4_request"
    query = {
        **dict(parse_qsl(url.query)),
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{credentials.access_key}/{scope}",
        "X-Amz-Date": f"{now:%Y%m%dT%H%M%SZ}",
        "X-Amz-Expires": str(int(expires.total_seconds())),
        "X-Amz-SignedHeaders": "content-length;host",
    }
    if credentials.session_token:
        query["X-Amz-Security-Token"] = credentials.session_token
    encoded = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(query.items()))
    headers = f"content-length:{size}\nhost:{url.netloc}\n"
    request = "\n".join(("PUT", url.path, encoded, headers, query["X-Amz-SignedHeaders"], "UNSIGNED-PAYLOAD"))
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = "\n".join((ALGORITHM, query["X-Amz-Date"], scope, digest))
    key = reduce(_hmac, scope.split("/"), f"AWS4{credentials.secret_key}".encode())
    return url._replace(query=f"{encoded}&X-Amz-Signature={_hmac(key, text).hex()}").geturl()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
