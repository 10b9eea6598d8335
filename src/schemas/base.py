from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from src.utils.text import UNSTORABLE, is_storable


def _storable(value: str) -> str:
    if not is_storable(value):
        raise ValueError(UNSTORABLE)
    return value


# A string that every store accepts. Use it for all strings that clients send.
SafeStr = Annotated[str, AfterValidator(_storable)]


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is out of range") from error


# A time with a UTC offset, converted to UTC.
UtcDatetime = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class BaseSchema(BaseModel):
    """Base class of all schemas: camelCase in JSON, snake_case in Python."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        from_attributes=True,
        json_schema_serialization_defaults_required=True,  # a response always has all fields
    )


class BaseRequest(BaseSchema):
    """Base class of request bodies: unknown fields are errors."""

    model_config = ConfigDict(extra="forbid")

    def changed_fields(self) -> dict[str, Any]:
        """The fields that the client sent and that are not null: the changes of a partial update."""
        return self.model_dump(exclude_unset=True, exclude_none=True)
