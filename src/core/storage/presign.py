import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from urllib.parse import quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class UploadSigner:
    """Presigns URLs for uploads of an exact size (AWS Signature Version 4 in the query).

    The MinIO SDK signs only the host header, so its URLs accept any size. These sign `Content-Length` as well, which
    browsers send by themselves.
    """

    access_key: str
    secret_key: str
    region: str
    now: datetime
    expires: timedelta

    def sign_put(self, url: str, query: Mapping[str, str], size: int) -> str:
        """Presign a PUT of exactly `size` bytes to `url`, which has no query of its own."""
        parts = urlsplit(url)
        scope = f"{self.now:%Y%m%d}/{self.region}/s3/aws4_request"
        signed_query = {
            **query,
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{self.access_key}/{scope}",
            "X-Amz-Date": f"{self.now:%Y%m%dT%H%M%SZ}",
            "X-Amz-Expires": str(int(self.expires.total_seconds())),
            "X-Amz-SignedHeaders": "content-length;host",
        }
        encoded = "&".join(
            f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(signed_query.items())
        )
        headers = f"content-length:{size}\nhost:{parts.netloc}\n"
        request = "\n".join(("PUT", parts.path, encoded, headers, "content-length;host", "UNSIGNED-PAYLOAD"))
        digest = hashlib.sha256(request.encode()).hexdigest()
        string_to_sign = "\n".join((ALGORITHM, signed_query["X-Amz-Date"], scope, digest))
        signing_key = reduce(_hmac, scope.split("/"), f"AWS4{self.secret_key}".encode())
        signature = _hmac(signing_key, string_to_sign).hex()
        return parts._replace(query=f"{encoded}&X-Amz-Signature={signature}").geturl()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
