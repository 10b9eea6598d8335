from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from src.schemas.base import BaseRequest, BaseSchema, SafeStr
from src.schemas.list_params import PageQuery, SearchIn, SortBy
from src.schemas.response import BaseResponse
from src.utils.filename import checked_filename

MAXIMUM_BYTES = 5 * 1024**4
MAXIMUM_PARTS = 1000

ContentType = Annotated[
    str,
    StringConstraints(to_lower=True, max_length=255, pattern=r"^[a-zA-Z]+/[a-zA-Z0-9][a-zA-Z0-9!#$&^_.+\-]*$"),
]


class FileCreate(BaseRequest):
    """A file to upload."""

    filename: Annotated[SafeStr, Field(min_length=1, max_length=255), AfterValidator(checked_filename)]
    content_type: ContentType
    size_bytes: int = Field(ge=1, le=MAXIMUM_BYTES)
    checksum_sha256: Annotated[str, StringConstraints(to_lower=True, pattern=r"^[0-9a-fA-F]{64}$")] | None = None


class UploadedPart(BaseRequest):
    """An uploaded part, with the ETag that the storage returned."""

    part_number: int = Field(ge=1, le=MAXIMUM_PARTS)
    etag: str = Field(pattern=r'^"?[A-Za-z0-9_\-]{1,128}"?$')


class FileComplete(BaseRequest):
    """All parts, in any order."""

    parts: list[UploadedPart] = Field(min_length=1, max_length=MAXIMUM_PARTS)


class PartResponse(BaseSchema):
    """The signed URL to PUT a part to, and the headers to send."""

    part_number: int
    url: str
    headers: dict[str, str] = Field(default_factory=dict)


class UploadResponse(BaseSchema):
    """The parts to upload; all have `partSizeBytes` except the last, which has the rest."""

    id: UUID
    part_size_bytes: int
    parts: list[PartResponse]
    expires_in: int


class FileQuery(PageQuery):
    """Filters of the file list."""

    sort: Annotated[SafeStr, SortBy("create_time", "filename", "size_bytes")] = ""
    keyword: Annotated[SafeStr, SearchIn("filename")] = ""


class FileSummary(BaseResponse):
    """A file in a list."""

    owner_id: UUID | None
    filename: str
    content_type: str
    size_bytes: int
    checksum_sha256: str | None


class FileResponse(FileSummary):
    """A file, with a signed URL to download it."""

    download_url: str
