import re
from typing import Annotated

from pydantic import Field, field_validator

from src.core.config.stores import SettingsGroup

MEBIBYTE = 1024 * 1024
PATTERN = re.compile(r"\*/\*|[a-z]+/\*|[a-z]+/[a-z0-9][a-z0-9!#$&^_.+-]*")


class FileSettings(SettingsGroup):
    """What may be uploaded, for how long a URL of the S3 server serves, and when the rest is cleared away."""

    limits: dict[str, Annotated[int, Field(ge=1)]] = Field({"*/*": 1024 * MEBIBYTE}, alias="FILE_LIMITS")
    part_bytes: int = Field(8 * MEBIBYTE, ge=5 * MEBIBYTE, le=1024 * MEBIBYTE, alias="FILE_PART_BYTES")
    upload_seconds: int = Field(3600, ge=60, le=7 * 24 * 3600, alias="FILE_UPLOAD_SECONDS")
    open_uploads: int = Field(100, ge=1, alias="FILE_OPEN_UPLOADS")
    download_seconds: int = Field(300, ge=1, le=7 * 24 * 3600, alias="FILE_DOWNLOAD_SECONDS")
    orphan_seconds: int = Field(24 * 3600, ge=3600, alias="FILE_ORPHAN_SECONDS")

    @field_validator("limits")
    @classmethod
    def _patterns(cls, value: dict[str, int]) -> dict[str, int]:
        for pattern in value:
            if not PATTERN.fullmatch(pattern):
                raise ValueError(f"{pattern!r} is no type such as image/png, image/* or */*")
        return value

    def limit_of(self, content_type: str) -> int | None:
        """The most bytes that a file of this type may have, by the closest pattern; None when no pattern fits."""
        family = content_type.partition("/")[0]
        fitting = (self.limits.get(pattern) for pattern in (content_type, f"{family}/*", "*/*"))
        return next((limit for limit in fitting if limit is not None), None)
