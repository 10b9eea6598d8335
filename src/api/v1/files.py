from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from src.api.route import AuditedRoute
from src.deps.file import FileServiceDep
from src.deps.permission import AuthorityDep, VerifyPermissionDep, require_permission
from src.models.file import File
from src.schemas.file import FileComplete, FileCreate, FileQuery, FileResponse, FileSummary, UploadResponse
from src.schemas.response import Page, Response, created, ok
from src.services.file import FileService

router = APIRouter(prefix="/files", tags=["File"], route_class=AuditedRoute, dependencies=[Depends(require_permission)])

FileId = Annotated[UUID, Path(alias="fileId")]


async def render(file: File, files: FileService) -> FileResponse:
    """A file, with a fresh URL."""
    shown = FileSummary.model_validate(file).model_dump()
    return FileResponse.model_validate({**shown, "download_url": await files.download_url(file)})


@router.post("", status_code=201)
async def begin_upload(
    body: FileCreate, files: FileServiceDep, claims: VerifyPermissionDep
) -> Response[UploadResponse]:
    """Get the URLs to upload a file to, in parts."""
    return created(await files.begin(body, claims.user_id))


@router.post("/{fileId}/complete")
async def complete_upload(
    file_id: FileId, body: FileComplete, files: FileServiceDep, actor: AuthorityDep
) -> Response[FileResponse]:
    """Make the file of its parts, and check it."""
    return ok(await render(await files.complete(file_id, body.parts, actor), files))


@router.get("")
async def list_files(
    query: Annotated[FileQuery, Query()], files: FileServiceDep, actor: AuthorityDep
) -> Response[Page[FileSummary]]:
    """One page of the caller's files; of all, for an administrator."""
    rows, total = await files.page(query, actor)
    records = [FileSummary.model_validate(row) for row in rows]
    return ok(Page(page=query.page, page_size=query.page_size, total=total, records=records))


@router.get("/{fileId}")
async def get_file(file_id: FileId, files: FileServiceDep, actor: AuthorityDep) -> Response[FileResponse]:
    """One file, with a URL to download it."""
    return ok(await render(await files.get(file_id, actor), files))


@router.delete("/{fileId}")
async def delete_file(file_id: FileId, files: FileServiceDep, actor: AuthorityDep) -> Response[None]:
    """Remove a file, or cancel its upload."""
    await files.delete(file_id, actor)
    return ok(None)
