"""The JSON schema of a schedule: one alternative for each kind, with the fields that define its times."""

from typing import Any

from src.models.schedule import ScheduleKind

# The fields that define the times of each kind; those that have a default may be omitted.
TIMING = {
    ScheduleKind.INTERVAL: ("every", "period"),
    ScheduleKind.CRONTAB: ("crontab", "timezone"),
    ScheduleKind.SOLAR: ("event", "latitude", "longitude"),
    ScheduleKind.CLOCKED: ("clockedTime",),
}


def split_by_kind(schema: dict[str, Any], name: str) -> None:
    """Replace the properties of an object schema by `oneOf`: a schema for each kind, titled by kind and name."""
    properties, required = schema.pop("properties"), schema.pop("required")
    extra, type_ = schema.pop("additionalProperties"), schema.pop("type")
    schema["oneOf"] = [
        {
            "title": f"{kind.value.title()}{name}",
            "type": type_,
            **_of_kind(kind, properties, required),
            "additionalProperties": extra,
        }
        for kind in ScheduleKind
    ]


def _of_kind(kind: ScheduleKind, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    """The properties of a schedule of one kind, and the required ones."""
    others = {name for names in TIMING.values() for name in names} - {*TIMING[kind]}
    own = {name: schema for name, schema in properties.items() if name not in others}
    own["kind"] = {"type": "string", "const": kind.value, "description": "How its times are defined."}
    optional = {name: own[name] for name in TIMING[kind] if "anyOf" in own[name]}
    needed = {name: {**schema["anyOf"][0], "description": schema["description"]} for name, schema in optional.items()}
    return {"properties": {**own, **needed}, "required": [*required, *needed]}
