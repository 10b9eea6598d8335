"""What happens to a relation that was not loaded: an error that says how to load it."""

from typing import Any, Final, Literal, NoReturn

from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import RelationshipProperty
from sqlalchemy.orm.strategies import _LazyLoader
from typing_extensions import override

UNLOADED: Final[Literal["raise"]] = "raise"


class NotLoadedError(InvalidRequestError):
    """A relation was used that the query had not loaded."""


@RelationshipProperty.strategy_for(lazy=UNLOADED)
class _Unloaded(_LazyLoader):
    """SQLAlchemy's `lazy="raise"`, with an error that names the fix."""

    @override
    def _invoke_raise_load(self, state: Any, passive: Any, lazy: str) -> NoReturn:
        name = self.parent_property.key
        raise NotLoadedError(
            f"{self.parent.class_.__name__}.{name} was not loaded: read the row with include=({name!r},), "
            f"or as a part of what is read: include=('….{name}',)."
        )
