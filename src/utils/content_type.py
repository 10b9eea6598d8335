"""Checks declared content types against the first bytes, and says which types are safe in a browser."""

import re

UNKNOWN = "application/octet-stream"

_ZIP = rb"PK(\x03\x04|\x05\x06|\x07\x08)"
_OLE = rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OGG = rb"OggS"
_MATROSKA = rb"\x1a\x45\xdf\xa3"
_MEDIA = rb".{4}(ftyp|moov|mdat|wide|free|skip)"
# Possessive (*+), without backtracking: input such as "<!---->" a hundred times must not take exponential time.
_PROLOGUE = rb"(\xef\xbb\xbf)?(\s|<\?xml[^>]*>|<!--.*?-->|<!DOCTYPE[^>\[]*(\[[^\]]*\])?\s*>)*+"

# How contents of these types begin; types that are not listed are not checked.
_SIGNATURES = {
    "image/png": rb"\x89PNG\r\n\x1a\n",
    "image/jpeg": rb"\xff\xd8\xff",
    "image/gif": rb"GIF8[79]a",
    "image/webp": rb"RIFF.{4}WEBP",
    "image/bmp": rb"BM",
    "image/tiff": rb"II\*\x00|MM\x00\*",
    "image/x-icon": rb"\x00\x00\x01\x00",
    "image/avif": rb".{4}ftyp(avi|mif)",
    "image/heic": rb".{4}ftyp(he|mif|msf)",
    "image/svg+xml": _PROLOGUE + rb"<(\w+:)?svg[\s/>]",
    "application/pdf": rb".{0,1019}%PDF-",
    "application/zip": _ZIP,
    "application/epub+zip": _ZIP,
    "application/gzip": rb"\x1f\x8b",
    "application/x-bzip2": rb"BZh",
    "application/x-7z-compressed": rb"7z\xbc\xaf\x27\x1c",
    "application/vnd.rar": rb"Rar!\x1a\x07",
    "application/zstd": rb"\x28\xb5\x2f\xfd",
    "application/msword": _OLE + rb"|\{\\rtf",
    "application/vnd.ms-excel": _OLE,
    "application/vnd.ms-powerpoint": _OLE,
    "application/rtf": rb"\{\\rtf",
    "audio/mpeg": rb"ID3|\xff[\xe2-\xff]",
    "audio/wav": rb"(RIFF|RF64).{4}WAVE",
    "audio/flac": rb"fLaC",
    "audio/ogg": _OGG,
    "audio/mp4": _MEDIA,
    "video/ogg": _OGG,
    "video/mp4": _MEDIA,
    "video/quicktime": _MEDIA,
    "video/webm": _MATROSKA,
    "video/x-matroska": _MATROSKA,
    "video/x-msvideo": rb"RIFF.{4}AVI ",
    "font/woff": rb"wOFF",
    "font/woff2": rb"wOF2",
}
_FAMILIES = {"application/vnd.openxmlformats-": _ZIP, "application/vnd.oasis.opendocument.": _ZIP}

# Content that is executed when it is opened, and the types that declare it. Browsers sniff the start of a page.
_MARKUP = {"text/html", "application/xhtml+xml", "application/xml", "text/xml"}
_PROGRAMS = {"application/vnd.microsoft.portable-executable", "application/x-msdownload", "application/x-executable"}
_ACTIVE = (
    (rb"(\xef\xbb\xbf)?\s*<!DOCTYPE\s+html", _MARKUP),
    (_PROLOGUE + rb"<(html|head|body|script|iframe|object|embed|title|style|meta|link|base)[\s/>]", _MARKUP),
    (_SIGNATURES["image/svg+xml"], {*_MARKUP, "image/svg+xml"}),
    (rb"MZ(?=.*\x00)|\x7fELF|[\xcf\xce]\xfa\xed\xfe|\xca\xfe\xba\xbe", _PROGRAMS),
)

_HARMLESS = re.compile(
    r"image/(?!svg)[^+]+|audio/[^+]+|video/[^+]+|font/[^+]+|text/(plain|csv|markdown|calendar)"
    r"|application/(pdf|json|zip|gzip|msword|rtf|vnd\.(ms-(excel|powerpoint)|openxmlformats-.+|oasis\.opendocument\..+))"
)

_SEEN_BYTES = 4096
_compiled = {kind: re.compile(form, re.DOTALL | re.IGNORECASE) for kind, form in _SIGNATURES.items()}
_families = [(prefix, re.compile(form)) for prefix, form in _FAMILIES.items()]
_active = [(re.compile(form, re.DOTALL | re.IGNORECASE), kinds) for form, kinds in _ACTIVE]


def contradicts(content_type: str, head: bytes) -> bool:
    """Whether content that begins with `head` is certainly not of this type.

    A type that is not in the table is trusted, unless the content would be executed when it is opened.
    """
    if content_type == UNKNOWN:
        return False  # declares nothing
    head = _plain(head[:_SEEN_BYTES])
    if any(form.match(head) and content_type not in kinds for form, kinds in _active):
        return True
    form = _compiled.get(content_type) or next(
        (form for prefix, form in _families if content_type.startswith(prefix)), None
    )
    if form is not None:
        return form.match(head) is None
    return content_type.startswith("text/") and b"\x00" in head


def harmless(content_type: str) -> str:
    """The type itself, if browsers execute nothing in it, else `application/octet-stream`."""
    return content_type if _HARMLESS.fullmatch(content_type) else UNKNOWN


def _plain(head: bytes) -> bytes:
    """Convert UTF-16 text to ASCII, for the patterns."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "ignore").encode("ascii", "ignore")
    return head
