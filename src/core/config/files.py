"""The S3 server, and limits of uploads and downloads."""

import re
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from src.core.config.base import SettingsGroup, StoreSettings

MEBIBYTE = 1024 * 1024
PATTERN = re.compile(r"\*/\*|[a-z]+/\*|[a-z]+/[a-z0-9][a-z0-9!#$&^_.+-]*")


class FileSettings(SettingsGroup):
    """What may be uploaded, how long presigned URLs are valid, and when orphans are deleted."""

    limits: dict[str, Annotated[int, Field(ge=1)]] = Field({"*/*": 1024 * MEBIBYTE}, alias="FILE_LIMITS")
    part_bytes: int = Field(8 * MEBIBYTE, ge=5 * MEBIBYTE, le=1024 * MEBIBYTE, alias="FILE_PART_BYTES")
    upload_seconds: int = Field(3600, ge=60, le=7 * 24 * 3600, alias="FILE_UPLOAD_SECONDS")
    open_uploads: int = Field(100, ge=1, alias="FILE_OPEN_UPLOADS")
    bytes_per_user: int = Field(100 * 1024 * MEBIBYTE, ge=1, alias="FILE_BYTES_PER_USER")
    download_seconds: int = Field(300, ge=1, le=7 * 24 * 3600, alias="FILE_DOWNLOAD_SECONDS")
    orphan_seconds: int = Field(24 * 3600, ge=3600, alias="FILE_ORPHAN_SECONDS")

    @field_validator("limits")
    @classmethod
    def _patterns(cls, value: dict[str, int]) -> dict[str, int]:
        for pattern in value:
            if not PATTERN.fullmatch(pattern):
                raise ValueError(f"{pattern!r} is not a type such as image/png, image/* or */*")
        return value

    def limit_of(self, content_type: str) -> int | None:
        """The maximum size in bytes of a file of this type, by its most specific pattern; None without one."""
        family = content_type.partition("/")[0]
        limits = (self.limits.get(pattern) for pattern in (content_type, f"{family}/*", "*/*"))
        return next((limit for limit in limits if limit is not None), None)


class S3Settings(StoreSettings):
    """MinIO, or any other S3 server."""

    store: ClassVar[str] = "S3"
    url_setting: ClassVar[str] = "MINIO_ENDPOINT"

    endpoint_setting: str = Field("", alias="MINIO_ENDPOINT")
    public_endpoint_setting: str = Field("", alias="MINIO_PUBLIC_ENDPOINT")
    access_key: str = Field("", alias="MINIO_ROOT_USER")
    secret_key: SecretStr = Field(SecretStr(""), alias="MINIO_ROOT_PASSWORD")
    bucket: str = Field("app", alias="MINIO_BUCKET")
    region: str = Field("us-east-1", alias="MINIO_REGION")
    timeout_seconds: float = Field(5, gt=0, alias="MINIO_TIMEOUT_SECONDS")

    @property
    def endpoint(self) -> str:
        """The server's base URL, such as `http://localhost:9000`; `http` if it has no scheme.

        Raises:
            ConfigurationError: `MINIO_ENDPOINT` is not set.
        """
        if not self.endpoint_setting:
            raise self.missing()
        return _with_scheme(self.endpoint_setting)

    @property
    def public_endpoint(self) -> str:
        """The base URL in presigned URLs: `MINIO_PUBLIC_ENDPOINT` if it is set, else `endpoint`."""
        return _with_scheme(self.public_endpoint_setting) if self.public_endpoint_setting else self.endpoint

    @property
    def public_origin(self) -> str | None:
        """The origin of presigned URLs; None if no server is named."""
        named = self.public_endpoint_setting or self.endpoint_setting
        return "{0.scheme}://{0.netloc}".format(urlsplit(_with_scheme(named))) if named else None

    def client_options(self, *, public: bool = False) -> dict[str, Any]:
        """Arguments of the MinIO SDK; `public` is for presigned URLs, which browsers use."""
        url = urlsplit(self.public_endpoint if public else self.endpoint)
        return {
            "endpoint": url.netloc,
            "access_key": self.access_key,
            "secret_key": self.secret_key.get_secret_value(),
            "secure": url.scheme == "https",
            "region": self.region,
        }


def _with_scheme(endpoint: str) -> str:
    return endpoint if "://" in endpoint else f"http://{endpoint}"
