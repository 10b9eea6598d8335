from contextvars import ContextVar
from uuid import UUID

# Who is behind the present request or event, once that is proven: tasks are sent in their name.
caller_id: ContextVar[UUID | None] = ContextVar("caller_id", default=None)
