from collections.abc import Collection
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from uuid import UUID

from src.core.exceptions import PermissionDeniedError
from src.core.tasks.info import TaskInfo
from src.crud.permission import ALL_CODES
from src.services.login_only import requires_login


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

    def holds(self, code: str) -> bool:
        """Whether the actor holds the permission code."""
        return self.is_admin or code in self.codes

    def limited_to(self, codes: Collection[str]) -> "Actor":
        """The actor as the holder of an API key with these codes: what both hold, and no UI permissions."""
        held = {code for code in codes if self.holds(code) and not requires_login(code)}
        return Actor(self.user_id, frozenset(held - {ALL_CODES}))

    def impersonated_by(self, impersonator: "Actor") -> "Actor":
        """The actor, as somebody who acts in their place: what both hold."""
        held = {code for code in self.codes if impersonator.holds(code) and not requires_login(code)}
        return Actor(self.user_id, frozenset(held - {ALL_CODES}), self.ui_permissions)

    def exceeds(self, permissions: AbstractSet[str]) -> bool:
        """Whether the actor holds anything that is not among these permissions."""
        return self.is_admin or bool((self.codes | self.ui_permissions) - permissions)

    def require_start(self, task: TaskInfo) -> None:
        """Check that the actor holds the permission that the task requires.

        Raises:
            PermissionDeniedError: They do not, or the task is internal, so that no user may start it.
        """
        if task.requires is None:
            raise PermissionDeniedError("The task is internal: no user can start it.", error="tasks.internal")
        if not self.holds(task.requires):
            raise PermissionDeniedError(
                f"Starting {task.name} requires {task.requires}.",
                error="tasks.not_yours_to_start",
                data=[task.requires],
            )

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


@dataclass(frozen=True, slots=True)
class OwnerScope:
    """Whose rows a caller may use: their own, or everybody's if they hold a permission. Made by `owner_or`."""

    user_id: UUID
    includes_all: bool

    def where(self, owner_field: str) -> dict[str, UUID]:
        """The filter for queries: rows of the caller, or all rows."""
        return {} if self.includes_all else {owner_field: self.user_id}

    def require(self, owner_id: UUID | None) -> None:
        """Check that a row with this owner is included; for rows that the caller may see, but not change.

        Raises:
            PermissionDeniedError: It is not.
        """
        if not self.includes_all and owner_id != self.user_id:
            raise PermissionDeniedError("It belongs to somebody else.", error="auth.not_yours")
