"""The violated constraints of a collection, and their fields, in the errors of MongoDB."""

from typing import Any

from pymongo.errors import OperationFailure

from src.core.exceptions import AppError
from src.crud.query.constraints import Constraint, violation
from src.crud.query.documents.filters import field_of

_CONSTRAINTS = {11000: Constraint.UNIQUE, 121: Constraint.CHECK}


def document_violation(model: Any, error: OperationFailure) -> AppError | None:
    """The error to raise for a violated constraint of a collection; None if `error` is another one."""
    details: Any = error.details or {}
    failures = details.get("writeErrors") or [details]
    constraint = _CONSTRAINTS.get(failures[0].get("code", error.code))
    if constraint is None:
        return None
    return violation(constraint, [field_of(model, path) for path in failures[0].get("keyPattern", ())])
