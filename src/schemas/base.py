from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from src.utils.text import is_storable


def _storable(value: str) -> str:
    if not is_storable(value):
        raise ValueError("must not contain NUL or lone surrogates")
    return value


# No store takes NUL, and UTF-8 has no lone surrogates; every string that a client sends is of this type.
SafeStr = Annotated[str, AfterValidator(_storable)]


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("lies outside the calendar") from error


# A moment with its offset, kept in UTC.
UtcDatetime = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class BaseSchema(BaseModel):
    """Base of all wire shapes: camelCase outside, snake_case inside."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True)


class BaseRequest(BaseSchema):
    """Base of request bodies: a field nobody asked for is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")

    def changed_fields(self) -> dict[str, Any]:
        """The fields that the client sent and that are not null: what an update is to change."""
        return self.model_dump(exclude_unset=True, exclude_none=True)
