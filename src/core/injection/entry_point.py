"""A door says what it can supply to the handlers behind it."""

from dataclasses import dataclass

from src.core.injection.arguments import Arguments, NativeArguments


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """What one entrance of the program supplies besides `Depends`.

    Attributes:
        specials: Names of the `Special` markers it answers in every run.
        connection: Runs come with an HTTP connection, from which `Request`, `Header`, `Cookie`, `Query` and FastAPI's
            security schemes are answered.
        arguments: How the unmarked parameters of a handler are bound.
    """

    specials: frozenset[str] = frozenset()
    connection: bool = False
    arguments: type[Arguments] = NativeArguments
