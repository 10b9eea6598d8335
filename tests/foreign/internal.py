import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import tests.foreign
from tests.foreign.scan import attributes_read


@dataclass(frozen=True)
class Internal:
    """A private name of another library.

    Attributes:
        owner: The module, or the class as `module:Class`, that has the name.
        name: The function, method or attribute.
        reason: What we use it for.
        used_in: The files under `src` that use it.
        signature: Parameters with their defaults, without annotations; None for what is no function or method.
    """

    owner: str
    name: str
    reason: str
    used_in: tuple[str, ...]
    signature: str | None = None

    def __str__(self) -> str:
        return f"{self.owner}.{self.name}"

    def problem(self) -> str | None:
        """Say how the installed version differs from this entry; None when it does not."""
        module, _, cls = self.owner.partition(":")
        owner: Any = import_module(module)
        if cls:
            owner = getattr(owner, cls, None)
            if owner is None:
                return f"{self.owner} does not exist"
        if not hasattr(owner, self.name):
            is_instance_attribute = self.signature is None and self.name in attributes_read(owner)
            return None if is_instance_attribute else f"{self} does not exist"
        present = parameters(getattr(owner, self.name))
        return None if present == self.signature else f"{self} takes {present}, not {self.signature}"


def parameters(function: object) -> str | None:
    """The signature of a function or method without annotations; None for anything else."""
    if not inspect.isroutine(function):
        return None
    signature = inspect.signature(function)
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def all_internals() -> Iterator[Internal]:
    """The entries of every file in this package."""
    for module in pkgutil.iter_modules(tests.foreign.__path__, "tests.foreign."):
        yield from getattr(import_module(module.name), "INTERNALS", ())
