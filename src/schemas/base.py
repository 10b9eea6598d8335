from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


def _storable(value: str) -> str:
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("must not contain NUL or lone surrogates")
    return value


# No store takes NUL, and UTF-8 has no lone surrogates; every string that a client sends is of this type.
Text = Annotated[str, AfterValidator(_storable)]


class BaseSchema(BaseModel):
    """Base of all wire shapes: camelCase outside, snake_case inside."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True)


class BaseRequest(BaseSchema):
    """Base of request bodies: a field nobody asked for is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")

    def given(self) -> dict[str, Any]:
        """The fields that the client sent and that are not null: what an update is to change."""
        return self.model_dump(exclude_unset=True, exclude_none=True)
