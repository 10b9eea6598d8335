from typing import Annotated, ClassVar
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
    """The name without a path."""
    content_type: ContentType
    """The media type, which the content must match."""
    size_bytes: int = Field(ge=1, le=MAXIMUM_BYTES)
    """The exact size."""
    checksum_sha256: Annotated[str, StringConstraints(to_lower=True, pattern=r"^[0-9a-fA-F]{64}$")] | None = None
    """SHA-256 of the content in hexadecimal, to be verified."""

    EXAMPLE: ClassVar = {"filename": "report.pdf", "contentType": "application/pdf", "sizeBytes": 20000}


class UploadedPart(BaseRequest):
    """An uploaded part, with the ETag that the storage returned."""

    part_number: int = Field(ge=1, le=MAXIMUM_PARTS)
    """The part's number, from 1."""
    etag: str = Field(pattern=r'^"?[A-Za-z0-9_\-]{1,128}"?$')
    """The `ETag` header of the storage's response."""

    EXAMPLE: ClassVar = {"partNumber": 1, "etag": "5d41402abc4b2a76b9719d911017c592"}


class FileComplete(BaseRequest):
    """All parts, in any order."""

    parts: list[UploadedPart] = Field(min_length=1, max_length=MAXIMUM_PARTS)
    """Every part exactly once."""


class PartResponse(BaseSchema):
    """The signed URL to PUT a part to, and the headers to send."""

    part_number: int
    """The part's number, from 1."""
    url: str
    """Where to PUT the part, directly to the storage."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Headers to send with it."""

    EXAMPLE: ClassVar = {
        "partNumber": 1,
        "url": "https://storage.example.com/files/019b7700?partNumber=1&X-Amz-Signature=…",
    }


class UploadResponse(BaseSchema):
    """The parts to upload; all have `partSizeBytes` except the last, which has the rest."""

    id: UUID
    """The file's id."""
    part_size_bytes: int
    """Size of every part but the last."""
    parts: list[PartResponse]
    """Where to send each part."""
    expires_in: int
    """Seconds until the upload expires."""

    EXAMPLE: ClassVar = {"partSizeBytes": 8388608, "expiresIn": 3600}


class SentPart(BaseSchema):
    """A part that was uploaded."""

    part_number: int
    """The part's number, from 1."""
    etag: str
    """Its `ETag`, for the completion."""

    EXAMPLE: ClassVar = UploadedPart.EXAMPLE


class OpenUploadResponse(UploadResponse):
    """An upload that is not completed, with new URLs of all its parts."""

    sent: list[SentPart]
    """The parts that the storage has; send the others, then complete the upload with all."""

    EXAMPLE: ClassVar = UploadResponse.EXAMPLE


class FileQuery(PageQuery):
    """Filters of the file list."""

    sort: Annotated[SafeStr, SortBy("create_time", "filename", "size_bytes")] = ""
    keyword: Annotated[SafeStr, SearchIn("filename")] = ""


class FileSummary(BaseResponse):
    """A file in a list."""

    owner_id: UUID | None
    """The user who uploaded it; null if they were deleted."""
    filename: str
    """The name without a path."""
    content_type: str
    """The media type."""
    size_bytes: int
    """The size."""
    checksum_sha256: str | None
    """SHA-256 of the content in hexadecimal."""

    EXAMPLE: ClassVar = {
        "filename": "report.pdf",
        "contentType": "application/pdf",
        "sizeBytes": 20000,
        "checksumSha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    }


class FileResponse(FileSummary):
    """A file, with a signed URL to download it."""

    download_url: str
    """A signed URL that works for some minutes, without a login."""

    EXAMPLE: ClassVar = {
        **FileSummary.EXAMPLE,
        "downloadUrl": "https://storage.example.com/files/019b7700?X-Amz-Signature=…",
    }


class FileDetail(FileSummary):
    """A file, or the caller's upload that is not completed."""

    download_url: str | None
    """A signed URL that works for some minutes, without a login; null for an upload that is not completed."""
    upload: OpenUploadResponse | None = None
    """How to go on with an upload that is not completed; null for a file."""

    EXAMPLE: ClassVar = FileResponse.EXAMPLE
