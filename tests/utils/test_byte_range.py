import pytest

from src.utils.byte_range import parse_range

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, None),
        ("", None),
        ("bytes=0-3", (0, 4)),
        ("bytes=3-", (3, 7)),
        ("bytes=-4", (6, 4)),
        ("bytes=-40", (0, 10)),
        ("bytes=9-9", (9, 1)),
        ("bytes=5-99999", (5, 5)),
        ("BYTES=0-0", (0, 1)),
        ("bytes=4-3", None),
        ("bytes=-", None),
        ("bytes=0-1,4-5", None),
        ("lines=0-3", None),
        ("bytes=a-b", None),
        ("bytes=٣-", None),
    ],
)
def test_is_parsed(header: str | None, part: tuple[int, int] | None) -> None:
    assert parse_range(header, 10) == part


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=9999999999999999999-"])
def test_begins_after_the_end(header: str) -> None:
    with pytest.raises(ValueError, match="after the end"):
        parse_range(header, 10)
