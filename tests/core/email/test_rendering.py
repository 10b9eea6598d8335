import re

import pytest

from src.core.email.rendering import TEMPLATES, render

pytestmark = pytest.mark.unit

MAILS = sorted(folder.name for folder in TEMPLATES.iterdir() if folder.is_dir())
NAMES = {name for file in TEMPLATES.rglob("*.txt") for name in re.findall(r"{{ (\w+)", file.read_text())} | {"app"}
VALUES = {name: f"<b>&{name}\r\nBcc: all@example.com\u202e" for name in NAMES} | {
    "link": "https://shop.example/page#token=abc"
}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", MAILS)
class TestAMail:
    def test_is_complete_in_both_languages(self, name: str, language: str) -> None:
        mail = render(name, language, **VALUES)
        assert mail.subject
        assert mail.text.strip()
        assert f'<html lang="{language}">' in mail.html
        has_chinese = any("\u4e00" <= character <= "\u9fff" for character in mail.subject + mail.text)
        assert has_chinese is (language == "zh")

    def test_has_one_line_for_each_value(self, name: str, language: str) -> None:
        mail = render(name, language, **VALUES)
        for part in (mail.subject, mail.text, mail.html):
            assert not any(line.startswith("Bcc:") for line in part.splitlines())
            assert "\r" not in part
            assert "\u202e" not in part

    def test_is_escaped_in_html_alone(self, name: str, language: str) -> None:
        mail = render(name, language, **VALUES)
        assert "<b>" not in mail.html
        assert "&lt;" not in mail.text

    def test_says_the_same_as_text_and_as_html(self, name: str, language: str) -> None:
        mail = render(name, language, **VALUES)
        assert ("#token=abc" in mail.text) is ("#token=abc" in mail.html)
        first = mail.text.partition("\n")[0][:12]
        assert "<b>" in first or first in mail.html


def test_a_missing_value_is_an_error() -> None:
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError, match="username"):
        render("password_reset", "en", app="x", link="x")
