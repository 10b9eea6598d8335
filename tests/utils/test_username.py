# ruff: noqa: RUF001, RUF003 - letters that look like others
import pytest

from src.utils.username import canonical_username, normalize_username

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "twin", ["admin", "Admin", "ADMIN", "ａｄｍｉｎ", "𝐚𝐝𝐦𝐢𝐧", "ⓐⓓⓜⓘⓝ", "aᵈmin", "admiⁿ"],
)  # fmt: skip
def test_forms_of_one_name_are_the_same(twin: str) -> None:
    assert canonical_username(twin) == "admin"


@pytest.mark.parametrize(("one", "other"), [("straße", "STRASSE"), ("a\u0301dmin", "Ádmin"), ("ΣΟΦΟΣ", "σοφος")])
def test_case_and_composition_do_not_matter(one: str, other: str) -> None:
    assert canonical_username(one) == canonical_username(other)


@pytest.mark.parametrize(
    "name",
    [
        "bob",
        "b.o-b_1@x+y",
        "José",
        "Жанна",
        "Σοφία",
        "山田たろう",
        "カタカナ",
        "김철수",
        "עמית",
        "محمد",
        "हिन्दी",
        "ไทย",
        "ａｂｃ",
        "2",
    ],
)
def test_names_of_one_script_are_accepted(name: str) -> None:
    assert normalize_username(normalize_username(name)) == normalize_username(name)


@pytest.mark.parametrize(
    "name",
    [
        "аdmin",  # Cyrillic а
        "admіn",  # Cyrillic і
        "αdmin",  # Greek α
        "adm\u0131\u0456n",
        "admin\u0323\u034f",  # combining marks that nothing composes
        "ad\u034fmin",
        "a\ufe0fdmin",  # a variation selector
        "ad\u200bmin",
        "ad\u200dmin",
        "ad\u00admin",
        "admin\u202e",
        "ad min",
        "admin\x00",
        "admin٣",
        "admin\ud800",
        "🙂",
        "x" * 65,
        "\ufdfa" * 5,  # 90 characters in NFKC
    ],
)
def test_twins_and_invisible_characters_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must"):
        normalize_username(name)
