from contextvars import ContextVar
from uuid import UUID

# The authenticated user of the current request, event or task; tasks are sent on their behalf.
current_actor_id: ContextVar[UUID | None] = ContextVar("current_actor_id", default=None)
