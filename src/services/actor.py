from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from uuid import UUID

from src.core.exceptions import PermissionDeniedError
from src.crud.permission import ALL_CODES


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and the codes that they hold: nobody grants, or rules over, what they do not hold themselves."""

    user_id: UUID
    codes: AbstractSet[str]

    @property
    def is_admin(self) -> bool:
        """Whether everything may be done."""
        return ALL_CODES in self.codes

    @property
    def owner_filter(self) -> UUID | None:
        """Whose things they see: their own; None stands for everybody's."""
        return None if self.is_admin else self.user_id

    def require_all(self, codes: AbstractSet[str]) -> None:
        """Check that all of the codes are the actor's own.

        Raises:
            PermissionDeniedError: With those that are not, as `data`.
        """
        missing = set() if self.is_admin else codes - self.codes
        if missing:
            raise PermissionDeniedError(
                "Nobody grants what they do not hold.", error="auth.not_yours_to_grant", data=sorted(missing)
            )
