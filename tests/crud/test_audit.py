"""Each filter of the audit log is served by the index that has its order, on the first page and on later ones."""

from typing import Any
from uuid import UUID

import pytest

from src.core.list_filters import QuerySpec, Where
from src.core.resources import Resources
from src.crud.audit import AuditCRUD
from src.models.audit import AuditLog
from src.schemas.audit import AuditQuery
from src.schemas.list_params import CursorQuery

FILTERS: dict[str, Any] = {
    "actor_id": UUID(int=3),
    "action": "POST:/api/v1/users",
    "result": "failure",
    "api_key_id": UUID(int=5),
    "request_id": "7",
    "acted_by": UUID(int=7),
}


def stages(plan: dict[str, Any]) -> list[str]:
    return [plan["stage"], *(stages(plan["inputStage"]) if "inputStage" in plan else [])]


def used_index(plan: dict[str, Any]) -> Any:
    return plan.get("indexName") or used_index(plan["inputStage"])


@pytest.mark.parametrize("after", [None, {"id__lt": UUID(int=9)}], ids=["first page", "later page"])
@pytest.mark.parametrize("name", FILTERS)
async def test_a_filter_uses_its_index(resources: Resources, name: str, after: Where | None) -> None:
    await resources.documents.bind(AuditLog)
    await AuditLog.get_pymongo_collection().delete_many({})  # those of other tests would have to be indexed first
    await resources.documents.create_indexes(AuditLog)
    entries = AuditCRUD(resources.documents)
    found = await entries._query(QuerySpec({name: FILTERS[name]}), after=after)
    cursor = AuditLog.get_pymongo_collection().find(found.get_filter_query()).sort("_id", -1).limit(20)
    plan = (await cursor.explain())["queryPlanner"]["winningPlan"]
    assert "IXSCAN" in stages(plan), plan
    assert used_index(plan) == f"{name}_1__id_-1"


def test_every_declared_filter_is_tried() -> None:
    assert set(AuditQuery.model_fields) - set(CursorQuery.model_fields) == set(FILTERS)
