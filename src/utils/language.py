"""The languages that e-mails are written in, and which of them somebody prefers."""

from typing import Literal, get_args

Language = Literal["en", "zh"]

_LANGUAGES: tuple[Language, ...] = get_args(Language)
# Browsers send a few dozen characters.
_MAXIMUM_LENGTH = 256


def preferred_language(accept_language: str) -> Language | None:
    """The language with the highest weight in an `Accept-Language` header; None if it has none of ours."""
    weights: dict[Language, float] = {}
    for item in accept_language[:_MAXIMUM_LENGTH].lower().split(","):
        tag, _, parameter = item.partition(";")
        for language in _LANGUAGES:
            if tag.strip().partition("-")[0] == language:
                weights[language] = max(weights.get(language, 0), _weight(parameter))
    return max((language for language in weights if weights[language]), key=lambda each: weights[each], default=None)


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if name.strip() != "q":
        return 1
    try:
        return min(float(value), 1)
    except ValueError:
        return 0
