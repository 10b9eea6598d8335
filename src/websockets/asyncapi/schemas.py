"""JSON schemas of payloads: JSON Schema draft 7, which AsyncAPI requires, with shared definitions."""

import inspect
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema
from typing_extensions import override

from src.utils.json_examples import JSON_VALUE, add_example, complete_examples

Schema = dict[str, Any]
Mode = Literal["validation", "serialization"]

_REF = "#/components/schemas/{model}"


class _Draft7(GenerateJsonSchema):
    @override
    def tuple_schema(self, schema: core_schema.TupleSchema) -> JsonSchemaValue:
        result = super().tuple_schema(schema)
        if "prefixItems" in result:
            if "items" in result:
                result["additionalItems"] = result.pop("items")
            result["items"] = result.pop("prefixItems")
        return result

    @override
    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        result = super().tagged_union_schema(schema)
        result.pop("discriminator", None)  # an object in OpenAPI, but a property name in AsyncAPI
        return result


class Schemas:
    """Collects types first: models that are equal in both directions then share one schema."""

    def __init__(self) -> None:
        self._requested: list[tuple[str, Mode, TypeAdapter[Any]]] = []
        self._schemas: Mapping[tuple[str, Mode], JsonSchemaValue] = {}
        self._definitions: Schema = {}

    def add(self, key: str, mode: Mode, type_: Any) -> None:
        """Request the schema of a type: as clients send it (`validation`) or receive it (`serialization`)."""
        self._requested.append((key, mode, TypeAdapter(type_)))

    def generate(self) -> Schema:
        """Generate all schemas; returns those of the models, for `components.schemas`."""
        self._schemas, shared = TypeAdapter.json_schemas(self._requested, ref_template=_REF, schema_generator=_Draft7)
        self._definitions = shared.get("$defs", {})
        if "JsonValue" in self._definitions:
            self._definitions["JsonValue"] = dict(JSON_VALUE)
        complete_examples(self._definitions)
        return self._definitions

    def get(self, key: str, mode: Mode) -> Schema:
        """Return the generated schema of a type; it refers to those of the models."""
        return self._schemas[key, mode]

    def message(self, name: str, payload: Schema | None) -> Schema:
        """Build a message with its payload and, if one is known, an example; `payload` is None if there is none."""
        message: Schema = {"name": name, "title": name}
        if payload is not None:
            message["payload"] = payload
            described = dict(payload)
            add_example(described, self._definitions)
            if "examples" in described:
                message["examples"] = [{"payload": example} for example in described["examples"]]
        return message

    def add_arguments(self, key: str, signature: inspect.Signature) -> None:
        """Request the schemas of an event's arguments."""
        for name, parameter in signature.parameters.items():
            self.add(f"{key}.{name}", "validation", parameter.annotation)

    def get_arguments(self, key: str, signature: inspect.Signature) -> Schema | None:
        """Return the schema of the arguments: a single one itself, several as an array, None for none."""
        schemas = [self.get(f"{key}.{name}", "validation") for name in signature.parameters]
        if len(schemas) < 2:
            return schemas[0] if schemas else None
        required = [parameter for parameter in signature.parameters.values() if parameter.default is parameter.empty]
        titled = [
            {"allOf": [schema], "title": name} for name, schema in zip(signature.parameters, schemas, strict=True)
        ]
        return {"type": "array", "items": titled, "minItems": len(required), "maxItems": len(schemas)}
