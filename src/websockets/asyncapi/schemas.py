"""JSON schemas of payloads as AsyncAPI takes them: JSON Schema draft 7, shared by reference."""

import inspect
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema
from typing_extensions import override

Schema = dict[str, Any]
Mode = Literal["validation", "serialization"]

_REF = "#/components/schemas/{model}"


class _Draft7(GenerateJsonSchema):
    @override
    def tuple_schema(self, schema: core_schema.TupleSchema) -> JsonSchemaValue:
        made = super().tuple_schema(schema)
        if "prefixItems" in made:
            if "items" in made:
                made["additionalItems"] = made.pop("items")
            made["items"] = made.pop("prefixItems")
        return made

    @override
    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        made = super().tagged_union_schema(schema)
        made.pop("discriminator", None)  # OpenAPI's object; AsyncAPI knows a name of a property alone
        return made


class Schemas:
    """Collects types first, so that models which look alike in both directions get one schema."""

    def __init__(self) -> None:
        self._wanted: list[tuple[str, Mode, TypeAdapter[Any]]] = []
        self._made: Mapping[tuple[str, Mode], JsonSchemaValue] = {}

    def add(self, key: str, mode: Mode, shape: Any) -> None:
        """Ask for the schema of a type: as clients send it (`validation`) or receive it (`serialization`)."""
        self._wanted.append((key, mode, TypeAdapter(shape)))

    def make(self) -> Schema:
        """Make all schemas; returns those of the models, for `components.schemas`."""
        self._made, shared = TypeAdapter.json_schemas(self._wanted, ref_template=_REF, schema_generator=_Draft7)
        definitions: Schema = shared.get("$defs", {})
        return definitions

    def get(self, key: str, mode: Mode) -> Schema:
        """The schema of a type, which refers to those of the models."""
        return self._made[key, mode]

    def add_arguments(self, key: str, signature: inspect.Signature) -> None:
        """Ask for the schemas of an event's arguments."""
        for name, parameter in signature.parameters.items():
            self.add(f"{key}.{name}", "validation", parameter.annotation)

    def get_arguments(self, key: str, signature: inspect.Signature) -> Schema | None:
        """One argument is the payload itself, several are a list; None when there is none."""
        schemas = [self.get(f"{key}.{name}", "validation") for name in signature.parameters]
        if len(schemas) < 2:
            return schemas[0] if schemas else None
        needed = [parameter for parameter in signature.parameters.values() if parameter.default is parameter.empty]
        titled = [
            {"allOf": [schema], "title": name} for name, schema in zip(signature.parameters, schemas, strict=True)
        ]
        return {"type": "array", "items": titled, "minItems": len(needed), "maxItems": len(schemas)}
