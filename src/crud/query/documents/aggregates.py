"""Aggregation pipelines with aggregates of the documents of one collection."""

from collections.abc import Sequence
from typing import Any

from src.core.list_filters import SortKey
from src.crud.query.aggregates import Aggregate


def aggregate_pipeline(
    wanted: Sequence[tuple[Aggregate, str]], by: Sequence[tuple[str, str]], keys: Sequence[SortKey], limit: int | None
) -> list[dict[str, Any]]:
    """The stages that aggregate documents, after the filter; names come with the paths of their fields."""
    computed = {
        f"value_{number}": {"$sum": 1} if one.function == "count" else {f"${one.function}": f"${path}"}
        for number, (one, path) in enumerate(wanted)
    }
    names = {name: f"_id.group_{number}" for number, (name, _) in enumerate(by)}
    names |= {one.name: f"value_{number}" for number, (one, _) in enumerate(wanted)}
    group = {f"group_{number}": f"${path}" for number, (_, path) in enumerate(by)}
    stages: list[dict[str, Any]] = [{"$group": {"_id": group or None, **computed}}]
    if keys:
        stages.append({"$sort": {names[key.name]: -1 if key.descending else 1 for key in keys}})
    return [*stages, {"$limit": limit}] if limit is not None else stages
