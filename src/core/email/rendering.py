from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.utils.text import escape_controls

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True, slots=True)
class Mail:
    """What a mail says: the same as text and as HTML."""

    subject: str
    text: str
    html: str


def render(name: str, language: str, **values: object) -> Mail:
    """Write a mail from its templates; the first line of the text is the subject.

    Values are one line each, whatever they hold, and are escaped in HTML.

    Raises:
        jinja2.UndefinedError: A template uses a value that is missing.
    """
    environment = _environment()
    text = environment.get_template(f"{name}/{language}.txt").render(values)
    subject, _, body = text.partition("\n")
    values |= {"subject": subject, "language": language}
    html = environment.get_template(f"{name}/{language}.html").render(values)
    return Mail(subject, body.lstrip("\n"), html)


@cache
def _environment() -> "Environment":
    # Imported by the first mail: API processes write none.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(disabled_extensions=["txt"], default=True),
        undefined=StrictUndefined,
        finalize=_one_line,
        keep_trailing_newline=True,
        auto_reload=False,
    )


def _one_line(value: Any) -> Any:
    """Keep people from writing lines of a mail by their name: control characters, also of direction, are shown."""
    return escape_controls(value) if type(value) is str else value
