"""What a callable needs, as a tree that is the same for every entry point."""

import inspect
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from fastapi.security.base import SecurityBase

from src.core.injection.fields import Fields
from src.core.injection.invoke import is_generator, without_partial
from src.core.injection.parameters import Parameter
from src.core.injection.scopes import Scope

CONNECTION = "connection"
"""The special that is the HTTP connection."""


@dataclass(frozen=True, slots=True)
class Argument:
    """A value that the caller passes."""

    parameter: str


@dataclass(frozen=True, slots=True)
class Supplied:
    """A value that the entry point supplies by name."""

    special: str


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Dependency:
    """A dependency, or the handler itself at the root.

    Attributes:
        call: What is called.
        name: The parameter of its parent that takes the value; None when nothing does.
        dependencies: What runs before it, in order.
        inputs: Its parameters that are an argument or a special.
        fields: Its HTTP parameters.
        takes_scopes: The parameter that gets `SecurityScopes`.
        positional: Names of its positional-only parameters, in order.
        use_cache: Whether it shares its value with others of the same call, scope and security scopes.
        scope: When a generator is closed, as declared.
        security_scopes: What `Security` requires, from the root down to here.
        adds_security_scopes: Whether its own declaration requires some.
        arguments: What the caller passes; the root's only.
    """

    call: Callable[..., Any]
    name: str | None = None
    dependencies: tuple["Dependency", ...] = ()
    inputs: tuple[tuple[str, Argument | Supplied], ...] = ()
    fields: Fields | None = None
    takes_scopes: str | None = None
    positional: tuple[str, ...] = ()
    use_cache: bool = True
    scope: Scope | None = None
    security_scopes: tuple[str, ...] = ()
    adds_security_scopes: bool = False
    arguments: tuple[Parameter, ...] = ()

    def cache_key(self) -> Hashable:
        """What dependencies that share one value have in common."""
        security = sorted(set(self.security_scopes)) if self.security_scopes and self._uses_security_scopes() else ()
        return self.call, tuple(security), self.scope or ("request" if is_generator(self.call) else None)

    def _uses_security_scopes(self) -> bool:
        return (
            self.adds_security_scopes
            or self.takes_scopes is not None
            or isinstance(inspect.unwrap(without_partial(self.call)), SecurityBase)
            or any(child._uses_security_scopes() for child in self.dependencies)
        )
