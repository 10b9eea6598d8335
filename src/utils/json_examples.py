"""Completes the examples in JSON schemas: an object's from its properties, its properties' from the object."""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

_MISSING: Any = object()
_FORMATS = {"uuid": "019b7700-0000-7000-8000-000000000000", "date-time": "2026-01-01T12:00:00Z"}

# Pydantic describes its `JsonValue` as `{}`. It does not refer to itself here: some generators cannot express that.
JSON_VALUE = {
    "description": "Any JSON value.",
    "anyOf": [
        *({"type": type_} for type_ in ("string", "number", "boolean", "null")),
        {"type": "array", "items": {}},
        {"type": "object", "additionalProperties": True},
    ],
    "examples": [None],
}


def complete_examples(schemas: Mapping[str, Schema]) -> None:
    """Add the examples that follow from others, from types, formats and enumerations; `schemas` are by name."""
    for schema in schemas.values():
        example = example_of(schema, schemas)
        if example is not _MISSING:
            schema["examples"] = [example]
        for part in (schema, *schema.get("oneOf", ())):
            for name, property_ in part.get("properties", {}).items():
                known = example.get(name) if isinstance(example, dict) and "const" not in property_ else None
                value = example_of(property_, schemas) if known is None else known
                if "$ref" not in property_:
                    property_.setdefault("examples", [None if value is _MISSING else value])


def add_example(schema: Schema, schemas: Mapping[str, Schema]) -> None:
    """Add an example to a schema outside of `schemas`, unless it has one or none is known."""
    example = example_of(schema, schemas)
    if example is not _MISSING:
        schema.setdefault("examples", [example])


def example_of(schema: Schema, schemas: Mapping[str, Schema]) -> Any:
    """The example of a schema; a marker if none is known."""
    if "properties" in schema:
        return _object(schema, schemas)
    known = [*schema.get("examples", ()), *schema.get("enum", ())]
    known += [schema[key] for key in ("const", "default") if schema.get(key) is not None]
    if known:
        return known[0]
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        others = {other: schemas[other] for other in schemas if other != name}  # a schema may refer to itself
        return example_of(schemas[name], others) if name in schemas else _MISSING
    alternatives = [part for key in ("anyOf", "oneOf", "allOf") for part in schema.get(key, ())]
    return example_of(alternatives[0], schemas) if alternatives else _of_type(schema, schemas)


def _object(schema: Schema, schemas: Mapping[str, Schema]) -> Schema:
    """The example of an object. Required properties that it leaves out are null, if they may be, or get an example."""
    properties = schema["properties"]
    given = schema.get("examples", [{}])[0]
    values = dict(given)
    for name in schema.get("required", ()) if given else properties:
        is_null = given and {"type": "null"} in properties[name].get("anyOf", ())
        values.setdefault(name, None if is_null else example_of(properties[name], schemas))
    return {name: values[name] for name in properties if values.get(name, _MISSING) is not _MISSING}


def _of_type(schema: Schema, schemas: Mapping[str, Schema]) -> Any:
    match schema.get("type"):
        case "boolean":
            return True
        case "null" | None:  # without a type, any value will do
            return None
        case "string":
            return _FORMATS.get(schema.get("format", ""), _MISSING)
        case "object":
            return {}
        case "array":
            items = schema.get("items") or []  # a list of schemas, in draft 7, for an array of fixed length
            examples = [example_of(item, schemas) for item in (items if isinstance(items, list) else [items])]
            return [example for example in examples if example is not _MISSING]
    return _MISSING
