import builtins
import keyword
import re
from dataclasses import dataclass

from pydantic.alias_generators import to_camel, to_pascal

LONGEST = 30
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*")
ENDINGS = (r"([^aeiou])y$", r"\1ies"), (r"is$", "es"), (r"(s|x|z|ch|sh)$", r"\1es"), (r"$", "s")


class RefusedError(Exception):
    """The feature cannot be written; the message says why, in one line."""


@dataclass(frozen=True)
class Noun:
    """What a feature is called, as `purchase_order` and `purchase_orders`."""

    singular: str
    plural: str

    def spellings(self) -> dict[str, str]:
        """What the templates' placeholders stand for."""
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
    """A noun from what was typed; its plural is guessed by the rules of English, unless it is given.

    Raises:
        RefusedError: It is no name, it is Python's, or it looks like a plural.
    """
    if plural is None:
        _check(name)
        if re.search(r"[^sui]s$", name):
            raise RefusedError(f"{name!r} looks like a plural: name one, or give --plural if it is none.")
        plural = next(re.sub(end, more, name, count=1) for end, more in ENDINGS if re.search(end, name))
    for word in (name, plural):
        _check(word)
    if plural == name:
        raise RefusedError(f"{name!r} needs another word as its plural, for its routes and its table.")
    return Noun(name, plural)


def _check(word: str) -> None:
    if not NAME.fullmatch(word) or len(word) > LONGEST:
        raise RefusedError(f"{word!r} is no name such as invoice or purchase_order, of {LONGEST} characters at most.")
    if keyword.iskeyword(word) or keyword.issoftkeyword(word) or hasattr(builtins, word):
        raise RefusedError(f"{word!r} is a word of Python.")
