import builtins
import keyword
import re
from dataclasses import dataclass

from pydantic.alias_generators import to_camel, to_pascal

LONGEST = 30
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*")
ENDINGS = (r"([^aeiou])y$", r"\1ies"), (r"is$", "es"), (r"(s|x|z|ch|sh)$", r"\1es"), (r"$", "s")


class RefusedError(Exception):
    """The feature cannot be written or removed; the message says why, in one line."""


@dataclass(frozen=True)
class Noun:
    """The name of a feature in singular and plural, such as `purchase_order` and `purchase_orders`."""

    singular: str
    plural: str

    def spellings(self) -> dict[str, str]:
        """The values of the templates' placeholders."""
        words = self.singular.replace("_", " ")
        return {
            "noun": self.singular,
            "nouns": self.plural,
            "Noun": to_pascal(self.singular),
            "camel": to_camel(self.singular),
            "path": self.plural.replace("_", "-"),
            "words": words,
            "many": self.plural.replace("_", " "),
            "Title": words.capitalize(),
        }


def parse(name: str, plural: str | None = None) -> Noun:
    """Check a noun; its plural follows the rules of English unless it is given.

    Raises:
        RefusedError: It is not a valid name, is a Python keyword or builtin, or looks like a plural.
    """
    if plural is None:
        _check(name)
        if re.search(r"[^sui]s$", name):
            raise RefusedError(
                f"{name!r} looks like a plural: give the singular, or pass --plural if {name!r} is a singular."
            )
        plural = next(re.sub(end, more, name, count=1) for end, more in ENDINGS if re.search(end, name))
    for word in (name, plural):
        _check(word)
    if plural == name:
        raise RefusedError(f"{name!r} needs a different plural, for its routes and its table: give --plural.")
    return Noun(name, plural)


def _check(word: str) -> None:
    if not NAME.fullmatch(word) or len(word) > LONGEST:
        raise RefusedError(
            f"{word!r} is not a name such as invoice or purchase_order: use lower-case words joined by _, "
            f"up to {LONGEST} characters."
        )
    if keyword.iskeyword(word) or keyword.issoftkeyword(word) or hasattr(builtins, word):
        raise RefusedError(f"{word!r} is a Python keyword or builtin.")
