import sys
from collections.abc import Mapping
from pathlib import Path

from typing_extensions import override

from scripts.local.children import Children
from scripts.local.credentials import Credentials
from scripts.local.ports import LOOPBACK
from scripts.local.process import Process
from scripts.local.store import STORE_PATIENCE_SECONDS, Store
from scripts.local.wheel import locate

USER = "app"


class S3(Store):
    """nanio behind our guard."""

    name = "S3"
    key = "s3"
    settings = ("MINIO_ENDPOINT",)

    def __init__(self, data: Path, port: int, credentials: Credentials, configured: Mapping[str, str]) -> None:
        super().__init__(data, port, credentials, configured)
        locate("nanio", "app.py", self.name)
        # Processes that read both the user's settings and ours would use the user's.
        self.user = configured.get("MINIO_ROOT_USER") or USER
        self.password = configured.get("MINIO_ROOT_PASSWORD") or self.password

    @override
    def launch(self, children: Children) -> Process:
        self.directory.mkdir(mode=0o700, exist_ok=True)
        environment = {
            "NANIO_DATA_DIR": str(self.directory),
            "NANIO_ACCESS_KEY": self.user,
            "NANIO_SECRET_KEY": self.password,
        }
        serve = ["-m", "uvicorn", "--factory", "scripts.local.s3_guard:build_app", "--host", LOOPBACK]
        options = ["--port", str(self.port), "--workers", "1", "--no-access-log", "--timeout-graceful-shutdown", "1"]
        command = [sys.executable, *serve, *options]
        return children.start(
            Process(self.name, command, self.log, environment, patience_seconds=STORE_PATIENCE_SECONDS)
        )

    @override
    def is_ready(self) -> bool:
        from minio import Minio  # imported while the servers start: clients take a second to import
        from minio.error import MinioException
        from urllib3 import PoolManager
        from urllib3.exceptions import HTTPError

        pool = PoolManager(timeout=2, retries=False)
        try:
            Minio(f"{LOOPBACK}:{self.port}", self.user, self.password, secure=False, http_client=pool).list_buckets()
        except (MinioException, HTTPError):
            return False
        finally:
            pool.clear()
        return True

    @property
    @override
    def environment(self) -> dict[str, str]:
        return {
            "MINIO_ENDPOINT": f"http://{LOOPBACK}:{self.port}",
            "MINIO_ROOT_USER": self.user,
            "MINIO_ROOT_PASSWORD": self.password,
        }
