import inspect
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema
from typing_extensions import override

from src.core.config import settings
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
    """Base class of all schemas: camelCase in JSON, snake_case in Python.

    The docstrings of a class and of its fields are descriptions in the OpenAPI and AsyncAPI documents.

    Attributes:
        EXAMPLE: An example in JSON for the documents. It may leave out optional fields of requests, and everything that
            follows from the type: booleans, enumerations, times, ids and nested schemas.
    """

    EXAMPLE: ClassVar[Mapping[str, Any]] = {}

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        from_attributes=True,
        use_attribute_docstrings=settings.ENVIRONMENT.has_docs,  # for documents alone: it takes a tenth of the start
        json_schema_serialization_defaults_required=True,  # a response always has all fields
    )

    @classmethod
    @override
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        reference = handler(core_schema)
        schema = handler.resolve_ref_schema(reference)
        schema.setdefault("description", inspect.getdoc(cls))  # also of a generic class with its parameters
        if cls.EXAMPLE:
            schema["examples"] = [dict(cls.EXAMPLE)]
        return reference


class BaseRequest(BaseSchema):
    """Base class of request bodies: unknown fields are errors."""

    model_config = ConfigDict(extra="forbid")

    def changed_fields(self) -> dict[str, Any]:
        """The fields that the client sent and that are not null: the changes of a partial update."""
        return self.model_dump(exclude_unset=True, exclude_none=True)
