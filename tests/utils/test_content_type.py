import pytest

from src.utils.content_type import contradicts, harmless

pytestmark = pytest.mark.unit

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
JPEG = b"\xff\xd8\xff\xe0" + bytes(20)
PAGE = b"<!DOCTYPE html><html><script>alert(1)</script></html>"
SVG = b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>'
PROGRAM = b"MZ\x90\x00\x03" + bytes(60)


@pytest.mark.parametrize(
    ("content_type", "head"),
    [
        ("image/png", PNG),
        ("image/jpeg", JPEG),
        ("image/webp", b"RIFF\x00\x10\x00\x00WEBPVP8 "),
        ("image/svg+xml", SVG),
        ("image/svg+xml", b"\xef\xbb\xbf<svg>"),
        ("application/pdf", b"%PDF-1.7\n"),
        ("application/pdf", b"\n\n%PDF-1.4\n"),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", b"PK\x03\x04rest"),
        ("video/mp4", b"\x00\x00\x00\x20ftypisom"),
        ("audio/mpeg", b"ID3\x04rest"),
        ("text/html", PAGE),
        ("text/plain", b"Plain < text, with <b>a tag</b>"),
        ("text/plain", "plain".encode("utf-16")),
        ("text/markdown", b'<p align="center">A heading</p>'),
        ("text/plain", b"MZ is how this text begins"),
        ("application/octet-stream", PAGE),
        ("application/octet-stream", PROGRAM),
        ("application/x-of-our-own", b"\x00\x01\x02"),
    ],
)
def test_matches(content_type: str, head: bytes) -> None:
    assert not contradicts(content_type, head)


@pytest.mark.parametrize(
    ("content_type", "head"),
    [
        ("image/png", JPEG),
        ("image/png", PAGE),
        ("image/png", b""),
        ("image/jpeg", b"GIF89a;alert(1)"),
        ("image/jpeg", PROGRAM),
        ("image/svg+xml", PAGE),
        ("application/pdf", PAGE + b"%PDF-1.7"),
        ("application/pdf", b"%PDX-"),
        ("text/plain", PAGE),
        ("text/plain", b"  \n\t<HTML>"),
        ("text/plain", b"<!-- a comment --><script>alert(1)</script>"),
        ("text/plain", PAGE.decode().encode("utf-16")),
        ("text/csv", SVG),
        ("text/plain", b"bin\x00ary"),
        ("application/json", PAGE),
        ("application/x-of-our-own", PAGE),
        ("application/x-of-our-own", PROGRAM),
        ("video/mp4", b"\x7fELF\x02\x01"),
        ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", PROGRAM),
    ],
)
def test_contradicts(content_type: str, head: bytes) -> None:
    assert contradicts(content_type, head)


@pytest.mark.parametrize("part", [b"<!--", b"<!---->", b"<!DOCTYPE x>", b"<?xml>", b" ", b"<!DOCTYPE ["])
def test_hard_input_takes_no_exponential_time(part: bytes) -> None:
    assert not contradicts("text/plain", part * 1_000_000)


@pytest.mark.parametrize(
    "content_type", ["image/png", "video/mp4", "text/plain", "application/pdf", "application/vnd.ms-excel"]
)
def test_is_harmless(content_type: str) -> None:
    assert harmless(content_type) == content_type


@pytest.mark.parametrize(
    "content_type",
    ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "text/javascript", "text/css",
     "application/x-shockwave-flash", "multipart/related", "message/rfc822", "audio/x+xml"],
)  # fmt: skip
def test_is_served_as_octet_stream(content_type: str) -> None:
    assert harmless(content_type) == "application/octet-stream"
