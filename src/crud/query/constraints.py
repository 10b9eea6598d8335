"""Which response a violated constraint of a table or collection means."""

from collections.abc import Sequence
from enum import Enum

from pydantic.alias_generators import to_camel

from src.core.exceptions import AppError, ConflictError, InvalidInputError


class Constraint(Enum):
    """A kind of constraint: the status of the response, and what is wrong with the field."""

    UNIQUE = 409, "is already taken"
    EXCLUSION = 409, "overlaps another"
    REFERENCED = 409, "is still referenced"
    REFERENCE = 422, "does not exist"
    NOT_NULL = 422, "is required"
    CHECK = 422, "is not allowed"


def violation(constraint: Constraint, fields: Sequence[str]) -> AppError:
    """The error to raise for a violated constraint of these fields."""
    status, problem = constraint.value
    field = ",".join(map(to_camel, fields))
    if status == InvalidInputError.status:
        return InvalidInputError(field, problem)
    return ConflictError(data=[{"field": field, "message": problem, "type": constraint.name.lower()}])
