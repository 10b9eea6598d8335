from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi import Response as PlainResponse

from src.api.audited_route import AuditedRoute
from src.api.response_headers import described
from src.api.stream import Stream
from src.api.v1.errors import CHANGED
from src.core.exceptions import BadRequestError, ConflictError, NotFoundError, RangeNotSatisfiableError, raises
from src.deps.file import FileScopeDep, FileServiceDep, UploadServiceDep
from src.deps.permission import VerifyPermissionDep, require_permission
from src.models.file import File, FileStatus
from src.schemas.file import (
    FileComplete,
    FileCreate,
    FileDetail,
    FileQuery,
    FileResponse,
    FileSummary,
    UploadResponse,
)
from src.schemas.response import Page, Response, created, ok, paged
from src.services.file import FileService
from src.utils.byte_range import parse_range
from src.utils.content_type import harmless
from src.utils.filename import attachment

router = APIRouter(prefix="/files", tags=["File"], route_class=AuditedRoute, dependencies=[Depends(require_permission)])

FileId = Annotated[UUID, Path(alias="fileId", description="Id of the file.")]

NOT_FOUND = NotFoundError("File not found.")
CONTENT_MISSING = NotFoundError("The content is missing.", error="file.content_missing")
TOO_MANY_UPLOADS = ConflictError(
    "You have 100 pending uploads, which is the limit: complete or delete one.",
    error="file.too_many_uploads",
    data={"limit": 100},
)
WRONG_PARTS = BadRequestError("Every part must be listed exactly once.", error="file.wrong_parts")
TOO_MANY_BYTES = ConflictError(
    "Your files would have more than 107374182400 bytes: delete some.",
    error="file.too_many_bytes",
    data={"limit": 107374182400},
)
EXPIRED = ConflictError("The upload has expired.", error="file.upload_expired")
BEING_COMPLETED = ConflictError(
    "The file is being completed.", error="file.being_completed", headers={"Retry-After": "1"}
)
MISMATCHES = [
    ConflictError(f"The content does not have the declared {name}.", error=f"file.{name}_mismatch")
    for name in ("size", "type", "checksum")
]
BYTES: dict[str, Any] = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
SENT = "ETag", "Accept-Ranges", "Content-Disposition"
CONTENT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The content", "headers": described(*SENT), **BYTES},
    206: {"description": "The requested range", "headers": described(*SENT, "Content-Range"), **BYTES},
    304: {"description": "The client has the content", "headers": described("ETag")},
}


def etag_header(name: str, description: str) -> Any:
    """A header of a request that has an `ETag`."""
    return Header(alias=name, description=description, examples=['"9f86d0"'])


def is_match(if_none_match: str, etag: str) -> bool:
    """Whether the header names this ETag, among others or as a weak one, or any (`*`)."""
    named = [name.strip().removeprefix("W/") for name in if_none_match.split(",")]
    return etag in named or "*" in named


async def render(file: File, files: FileService) -> FileResponse:
    """The response for a file, with a new download URL."""
    summary = FileSummary.model_validate(file).model_dump()
    return FileResponse.model_validate({**summary, "download_url": await files.download_url(file)})


@router.post("", status_code=201)
@raises(TOO_MANY_UPLOADS, TOO_MANY_BYTES)
async def begin_upload(
    body: FileCreate, uploads: UploadServiceDep, claims: VerifyPermissionDep
) -> Response[UploadResponse]:
    """Begin an upload: get a signed URL for each part."""
    return created(await uploads.begin(body, claims.user_id))


@router.post("/{fileId}/complete")
@raises(NOT_FOUND, WRONG_PARTS, EXPIRED, BEING_COMPLETED, *MISMATCHES)
async def complete_upload(
    file_id: FileId, body: FileComplete, uploads: UploadServiceDep, files: FileServiceDep, scope: FileScopeDep
) -> Response[FileResponse]:
    """Complete an upload: assemble the parts and check the content."""
    return ok(await render(await uploads.complete(file_id, body.parts, scope), files))


@router.get("")
async def list_files(
    query: Annotated[FileQuery, Query()], files: FileServiceDep, scope: FileScopeDep
) -> Response[Page[FileSummary]]:
    """List the caller's files; holders of `files.manage` see all files."""
    return paged(query, await files.page(query, scope))


@router.get("/{fileId}")
@raises(NOT_FOUND, BEING_COMPLETED)
async def get_file(
    file_id: FileId, files: FileServiceDep, uploads: UploadServiceDep, scope: FileScopeDep
) -> Response[FileDetail]:
    """Get a file, with a signed URL to download it; or the caller's pending upload, with what resumes it."""
    file = await files.get_visible(file_id, scope)
    is_ready = file.status == FileStatus.READY
    links: dict[str, Any] = {
        "download_url": await files.download_url(file) if is_ready else None,
        "upload": None if is_ready else await uploads.resume(file, scope.user_id),
    }
    return ok(FileDetail.model_validate({**FileSummary.model_validate(file).model_dump(), **links}))


@router.head("/{fileId}/content", response_class=PlainResponse, include_in_schema=False)
@router.get("/{fileId}/content", status_code=200, response_class=Stream, responses=CONTENT)
@raises(NOT_FOUND, CONTENT_MISSING, RangeNotSatisfiableError(1000))
async def get_content(
    request: Request,
    file_id: FileId,
    files: FileServiceDep,
    scope: FileScopeDep,
    range_header: Annotated[
        str | None, Header(alias="Range", description="The bytes to send.", examples=["bytes=0-999"])
    ] = None,
    if_range: Annotated[
        str | None, etag_header("If-Range", "`ETag` that the range is of; if it differs, all bytes are sent.")
    ] = None,
    if_none_match: Annotated[
        str | None,
        etag_header(
            "If-None-Match", "`ETag` of the content that the client has; if it is current, the response is 304."
        ),
    ] = None,
) -> PlainResponse:
    """Download the content or a range of it, for clients that cannot reach the storage; `HEAD` gets the headers."""
    file = await files.get(file_id, scope)
    etag = f'"{file.checksum_sha256}"'
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Disposition": attachment(file.filename),
        "Content-Type": harmless(file.content_type),
        "ETag": etag,
    }
    if if_none_match is not None and is_match(if_none_match, etag):
        return PlainResponse(status_code=304, headers={"ETag": etag})
    size = file.size_bytes
    if request.method == "HEAD":  # for which HTTP knows no ranges
        await files.require_content(file)
        return PlainResponse(headers={**headers, "Content-Length": str(size)})
    try:
        part = parse_range(range_header if if_range in (None, etag) else None, size)
    except ValueError as error:
        raise RangeNotSatisfiableError(size) from error
    first, length = part or (0, size)
    headers["Content-Length"] = str(length)
    if part:
        headers["Content-Range"] = f"bytes {first}-{first + length - 1}/{size}"
    return Stream(await files.open(file, first, length), 206 if part else 200, headers)


@router.delete("/{fileId}")
@raises(NOT_FOUND, CHANGED)
async def delete_file(file_id: FileId, files: FileServiceDep, scope: FileScopeDep) -> Response[None]:
    """Delete a file, or cancel its upload."""
    await files.delete(file_id, scope)
    return ok(None)
