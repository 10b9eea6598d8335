import io
import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import urllib3
from minio import Minio
from minio.commonconfig import CopySource, Tags
from minio.error import S3Error

from scripts.local.children import Children
from scripts.local.credentials import Credentials
from scripts.local.ports import Ports
from scripts.local.s3 import S3
from tests.scripts.local.conftest import make_directory
from tests.support.waiting import wait_until

pytestmark = pytest.mark.process

BUCKET, KEY, CONTENT = "files", "a/b.txt", b"precious"
BIG = bytes(range(256)) * 4096 * 6  # two parts of 5 MiB, and a bit


@pytest.fixture(scope="module")
def s3() -> Iterator[Minio]:
    directory = make_directory()
    store = S3(directory, Ports.free().s3, Credentials(), {"MINIO_ROOT_USER": "the-users-own"})
    children = Children(directory)
    try:
        store.launch(children)
        wait_until(store.is_ready)
        variables = store.environment
        address = urlsplit(variables["MINIO_ENDPOINT"]).netloc
        yield Minio(address, variables["MINIO_ROOT_USER"], variables["MINIO_ROOT_PASSWORD"], secure=False)
    finally:
        children.stop()
        shutil.rmtree(directory)


@pytest.fixture
def stored(s3: Minio) -> Minio:
    """One bucket with one object."""
    if not s3.bucket_exists(BUCKET):
        s3.make_bucket(BUCKET)
    s3.put_object(BUCKET, KEY, io.BytesIO(CONTENT), len(CONTENT))
    return s3


def content(s3: Minio, key: str = KEY) -> bytes:
    response = s3.get_object(BUCKET, key)
    try:
        return response.read()
    finally:
        response.close()
        response.release_conn()


def fetch(method: str, url: str, **options: object) -> urllib3.BaseHTTPResponse:
    with urllib3.PoolManager() as pool:
        return pool.request(method, url, **options)  # type: ignore[arg-type] # passed through


class TestUnknownRequests:
    @pytest.mark.parametrize(
        ("method", "query"),
        [
            ("PUT", "tagging"), ("PUT", "acl"), ("PUT", "retention"), ("PUT", "legal-hold"), ("PUT", "uploadId"),
            ("DELETE", "tagging"), ("DELETE", "versionId"), ("POST", "restore"), ("GET", "acl"), ("GET", "partNumber"),
        ],
    )  # fmt: skip
    def test_on_an_object_are_refused_without_loss(self, stored: Minio, method: str, query: str) -> None:
        url = stored.get_presigned_url(method, BUCKET, KEY, extra_query_params={query: ""})
        response = fetch(method, url, body=b"<Tagging/>" if method == "PUT" else None)
        assert (response.status, b"<Code>NotImplemented</Code>" in response.data) == (501, True)
        assert content(stored) == CONTENT

    @pytest.mark.parametrize(
        "query", ["policy", "versioning", "lifecycle", "tagging", "cors", "encryption", "anything"]
    )
    @pytest.mark.parametrize("method", ["PUT", "DELETE", "GET"])
    def test_on_a_bucket_are_refused_without_loss(self, stored: Minio, method: str, query: str) -> None:
        url = stored.get_presigned_url(method, BUCKET, KEY, extra_query_params={query: ""}).replace(f"/{KEY}", "")
        assert fetch(method, url).status == 501
        assert content(stored) == CONTENT

    def test_reach_the_sdk_as_its_own_error(self, stored: Minio) -> None:
        tags = Tags.new_object_tags()
        tags["kind"] = "letter"
        with pytest.raises(S3Error) as caught:
            stored.set_object_tags(BUCKET, KEY, tags)
        assert caught.value.code == "NotImplemented"

    @pytest.mark.parametrize("header", ["If-None-Match", "x-amz-tagging", "x-amz-object-lock-mode", "x-amz-acl"])
    def test_headers_that_would_be_ignored_are_refused(self, stored: Minio, header: str) -> None:
        url = stored.get_presigned_url("PUT", BUCKET, KEY)
        assert fetch("PUT", url, body=b"other", headers={header: "*"}).status == 501
        assert content(stored) == CONTENT

    def test_a_part_copied_from_an_object_is_refused(self, stored: Minio) -> None:
        url = stored.get_presigned_url("PUT", BUCKET, KEY, extra_query_params={"uploadId": "1", "partNumber": "1"})
        assert fetch("PUT", url, headers={"x-amz-copy-source": f"{BUCKET}/{KEY}"}).status == 501


class TestKnownRequests:
    def test_large_files_go_up_in_parts(self, stored: Minio) -> None:
        stored.put_object(BUCKET, "big", io.BytesIO(BIG), len(BIG), part_size=5 * 1024 * 1024)
        assert content(stored, "big") == BIG

    def test_copy(self, stored: Minio) -> None:
        stored.copy_object(BUCKET, "copy", CopySource(BUCKET, KEY))
        assert content(stored, "copy") == CONTENT

    def test_list_and_remove(self, stored: Minio) -> None:
        stored.put_object(BUCKET, "list/1", io.BytesIO(b""), 0)
        assert [item.object_name for item in stored.list_objects(BUCKET, prefix="list/", recursive=True)] == ["list/1"]
        stored.remove_object(BUCKET, "list/1")
        assert not list(stored.list_objects(BUCKET, prefix="list/", recursive=True))

    def test_presigned_upload(self, stored: Minio) -> None:
        assert fetch("PUT", stored.presigned_put_object(BUCKET, "up"), body=b"from a browser").status == 200
        assert content(stored, "up") == b"from a browser"

    def test_a_presigned_download_chooses_its_headers(self, stored: Minio) -> None:
        disposition = 'attachment; filename="b.txt"'
        chosen = {"response-content-disposition": disposition, "response-content-type": "text/plain"}
        response = fetch("GET", stored.get_presigned_url("GET", BUCKET, KEY, extra_query_params={**chosen}))
        assert (response.status, response.data) == (200, CONTENT)
        assert response.headers["content-disposition"] == disposition
        assert response.headers["content-type"] == "text/plain"

    def test_the_users_own_name_for_the_server_is_kept(self, stored: Minio) -> None:
        assert "the-users-own" in stored.presigned_get_object(BUCKET, KEY)
        assert content(stored) == CONTENT

    def test_a_wrong_signature_is_refused(self, stored: Minio) -> None:
        assert fetch("GET", stored.presigned_get_object(BUCKET, KEY).replace("b.txt", "c.txt")).status == 403


class TestPagesOfOtherOrigins:
    ORIGIN = "https://app.example.com"

    def test_may_upload(self, stored: Minio) -> None:
        headers = {"Origin": self.ORIGIN, "Access-Control-Request-Method": "PUT"}
        response = fetch("OPTIONS", stored.presigned_put_object(BUCKET, "up"), headers=headers)
        assert (response.status, response.headers["access-control-allow-origin"]) == (200, "*")

    def test_learn_the_etag(self, stored: Minio) -> None:
        response = fetch("PUT", stored.presigned_put_object(BUCKET, "up"), body=b"x", headers={"Origin": self.ORIGIN})
        assert "ETag" in response.headers["access-control-expose-headers"]

    def test_send_no_credentials(self, stored: Minio) -> None:
        response = fetch("GET", stored.presigned_get_object(BUCKET, KEY), headers={"Origin": self.ORIGIN})
        assert "access-control-allow-credentials" not in response.headers
