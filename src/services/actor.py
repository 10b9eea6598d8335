from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from uuid import UUID

from src.core.exceptions import PermissionDeniedError
from src.crud.permission import ALL_CODES


@dataclass(frozen=True, slots=True)
class Actor:
    """The acting user and the permission codes that they hold; used to prevent privilege escalation."""

    user_id: UUID
    codes: AbstractSet[str]

    @property
    def is_admin(self) -> bool:
        """Whether the actor holds every permission."""
        return ALL_CODES in self.codes

    @property
    def owner_filter(self) -> UUID | None:
        """The owner whose rows the actor may see: the actor; None for administrators, who see everybody's."""
        return None if self.is_admin else self.user_id

    def require_all(self, codes: AbstractSet[str]) -> None:
        """Check that the actor holds all of these codes.

        Raises:
            PermissionDeniedError: With the codes that the actor does not hold as `data`.
        """
        missing = set() if self.is_admin else codes - self.codes
        if missing:
            raise PermissionDeniedError(
                "You cannot grant permissions that you do not hold.",
                error="auth.not_yours_to_grant",
                data=sorted(missing),
            )
