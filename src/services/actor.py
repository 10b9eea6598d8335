from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from uuid import UUID

from src.core.exceptions import PermissionDeniedError
from src.crud.permission import ALL_CODES


@dataclass(frozen=True, slots=True)
class Actor:
    """The acting user and the permissions that they hold; used to prevent privilege escalation.

    Attributes:
        codes: Permission codes; `*` for administrators.
        ui_permissions: Button and router permissions, as in `Role.ui_permissions`.
    """

    user_id: UUID
    codes: AbstractSet[str]
    ui_permissions: AbstractSet[str] = frozenset()

    @property
    def is_admin(self) -> bool:
        """Whether the actor holds every permission."""
        return ALL_CODES in self.codes

    @property
    def owner_filter(self) -> UUID | None:
        """The owner whose rows the actor may see: the actor; None for administrators, who see everybody's."""
        return None if self.is_admin else self.user_id

    def require_all(self, permissions: AbstractSet[str]) -> None:
        """Check that the actor holds all of these permission codes and UI permissions.

        Raises:
            PermissionDeniedError: With the permissions that the actor does not hold as `data`.
        """
        missing = set() if self.is_admin else permissions - self.codes - self.ui_permissions
        if missing:
            raise PermissionDeniedError(
                "You cannot grant or withdraw permissions that you do not hold.",
                error="auth.not_yours_to_grant",
                data=sorted(missing),
            )
