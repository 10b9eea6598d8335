from contextvars import ContextVar
from uuid import UUID

# The authenticated user of the current request or event; tasks are sent on their behalf.
caller_id: ContextVar[UUID | None] = ContextVar("caller_id", default=None)
