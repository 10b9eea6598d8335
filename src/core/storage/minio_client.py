"""The MinIO SDK; import this in a thread, when files are first asked for: it takes a third of a second."""

import urllib3
from minio import Minio
from minio.error import S3Error, ServerError
from urllib3.exceptions import HTTPError

from src.core.config.files import S3Settings
from src.core.exceptions import BadRequestError, NotFoundError, ServiceUnavailableError

GONE = {"NoSuchKey", "NoSuchUpload"}
WRONG_PARTS = {"InvalidPart", "InvalidPartOrder", "EntityTooSmall"}
THREADS = 8


class MinioClients:
    """Both clients of one storage.

    Attributes:
        s3: Blocks, so call it in threads.
        signer: Signs what browsers use; a host is part of what is signed. Never connects.
    """

    def __init__(self, settings: S3Settings) -> None:
        self._pool = urllib3.PoolManager(
            maxsize=THREADS,  # connections are kept
            timeout=urllib3.Timeout(connect=settings.timeout_seconds, read=settings.timeout_seconds),
            retries=urllib3.Retry(total=1, redirect=0),
        )
        self.s3 = Minio(**settings.client_options(), http_client=self._pool)
        self.signer = Minio(**settings.client_options(public=True))

    def create_bucket(self, name: str) -> None:
        """Create a bucket unless it is there, also when another process does so at the same moment."""
        if self.s3.bucket_exists(name):
            return
        try:
            self.s3.make_bucket(name)
        except S3Error as error:
            if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()


def translated(error: Exception) -> Exception | None:
    """The error of ours that one of the SDK's means, if it means one."""
    if isinstance(error, (HTTPError, ServerError)):
        return ServiceUnavailableError()
    if not isinstance(error, S3Error):
        return None
    if error.code in GONE:
        return NotFoundError()
    if error.code in WRONG_PARTS:
        return BadRequestError("A part is missing, or another than was sent.", error="file.wrong_parts")
    return ServiceUnavailableError() if error.response.status >= 500 else None
