import pytest

from src.utils.language import preferred_language

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB, zh", "en"),
        ("fr;q=1, en;q=0.2, zh;q=0.7", "zh"),
        ("ZH-Hant", "zh"),
        ("fr, de", None),
        ("", None),
        ("en;q=0", None),
        ("en;q=x, zh;q=0.1", "zh"),
        ("en;q=nan", None),
        ("*", None),
        ("english, zhx", None),
        ("," * 10_000 + "en", None),
    ],
)
def test_the_language_with_the_highest_weight_is_preferred(header: str, language: str | None) -> None:
    assert preferred_language(header) == language
