"""Compile a handler and its dependencies into a plan."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, Protocol

from fastapi import params

from src.core.injection.arguments import Arguments
from src.core.injection.dependency import Argument, Dependency, Supplied
from src.core.injection.entry_point import EntryPoint
from src.core.injection.errors import UnresolvableParameterError
from src.core.injection.invoke import Invoke, compile_invoke, is_generator
from src.core.injection.plan import Call, Overrides, Plan

Callback = Callable[..., Any]


class OverrideReader(Protocol):
    """Reads what overrides put in the place of dependencies."""

    @property
    def arguments(self) -> type[Arguments]:
        """How the unmarked parameters of a handler are bound."""

    def read_override(self, original: Dependency, call: Callback) -> Dependency:
        """Read a callable that runs in place of `original`."""


def compile_plan(
    handler: Callback,
    entry_point: EntryPoint,
    *,
    dependencies: Sequence[params.Depends] = (),
    overrides: Overrides | None = None,
) -> Plan:
    """Read a handler's signature, and those of its dependencies, once.

    Args:
        handler: What the entry point runs: a function or bound method, synchronous (in a thread) or not.
        entry_point: What can be supplied.
        dependencies: Run before the handler's own; nothing takes their values.
        overrides: Replacements for dependencies.

    Raises:
        UnresolvableParameterError: A parameter cannot be supplied.
    """
    return compile_tree(entry_point.read_handler(handler, dependencies), entry_point, overrides or {})


def compile_tree(root: Dependency, reader: OverrideReader, overrides: Overrides) -> Plan:
    """Compile a tree of dependencies; `reader` reads what overrides replace, for this plan and for later ones."""
    compiler = _Compiler(reader, overrides)
    last = compiler.draft(root)
    last = last._replace(needs=[("call", number) for number in range(len(compiler.drafts))])
    return compiler.finish(root, last)


class _Draft(NamedTuple):
    """A call whose arguments are still named by what makes them."""

    dependency: Dependency
    invoke: Invoke | None
    made: Hashable
    keywords: dict[str, Hashable]
    needs: list[Hashable]


class _Compiler:
    """Lays out the calls in the order in which FastAPI resolves dependencies: depth first, shared values once."""

    def __init__(self, reader: OverrideReader, overrides: Overrides) -> None:
        self.reader = reader
        self.overrides = overrides
        self.specials: list[str] = []
        self.security_scopes: list[tuple[str, ...]] = []
        self.drafts: list[_Draft] = []
        self.cached: dict[Hashable, Hashable] = {}
        self.callables: set[Callback] = set()
        self.path: list[Callback] = []

    def finish(self, root: Dependency, last: _Draft) -> Plan:
        """Give every value its index."""
        drafts = [*self.drafts, last]
        keys: list[Hashable] = [Argument(parameter.name) for parameter in root.arguments]
        keys += [Supplied(name) for name in self.specials]
        keys += [("security scopes", number) for number in range(len(self.security_scopes))]
        keys += [("call", number) for number in range(len(drafts))]
        indexes = {key: index for index, key in enumerate(keys)}
        return Plan(
            handler=root.call,
            arguments=self.reader.arguments(root.call, root.arguments),
            specials=tuple(self.specials),
            security_scopes=tuple(self.security_scopes),
            calls=tuple(_call(draft, indexes) for draft in drafts),
            callables=frozenset(self.callables),
            generator_scopes=frozenset(
                draft.dependency.scope or "request" for draft in self.drafts if is_generator(draft.dependency.call)
            ),
            reads_connection=any(draft.dependency.fields for draft in drafts),
            recompile=lambda overrides: compile_tree(root, self.reader, overrides),
        )

    def draft(self, dependency: Dependency) -> _Draft:
        """Lay out everything that a callable needs."""
        if dependency.call in self.path:
            raise UnresolvableParameterError(dependency.call, "*", "with these overrides it depends on itself")
        self.path.append(dependency.call)
        keywords: dict[str, Hashable] = {}
        needs: list[Hashable] = []
        for child in dependency.dependencies:
            needs.append(self.lay_out(child))
            if child.name is not None:
                keywords[child.name] = needs[-1]
        for name, source in dependency.inputs:
            keywords[name] = self.supply(source)
        if dependency.takes_scopes is not None:
            keywords[dependency.takes_scopes] = "security scopes", len(self.security_scopes)
            self.security_scopes.append(dependency.security_scopes)
        self.path.pop()
        invoke = compile_invoke(dependency.call, dependency.scope, dependency.positional)
        return _Draft(dependency, invoke, None, keywords, needs)

    def supply(self, source: Argument | Supplied) -> Hashable:
        if isinstance(source, Supplied) and source.special not in self.specials:
            self.specials.append(source.special)
        return source

    def lay_out(self, original: Dependency) -> Hashable:
        """Lay out a dependency, and name its value.

        For one whose value is there already, FastAPI still reads the HTTP parameters again and calls what it needs
        without the cache; so does the plan.
        """
        self.callables.add(original.call)
        call = self.overrides.get(original.call, original.call)
        used = original if call is original.call else self.reader.read_override(original, call)
        before = len(self.drafts)
        draft = self.draft(used)
        key = original.cache_key()
        made = self.cached.get(key) if original.use_cache else None
        if made is not None:
            if len(self.drafts) == before and not used.fields:
                return made
            draft = draft._replace(invoke=None, made=made)
        self.drafts.append(draft)
        value = "call", len(self.drafts) - 1
        self.cached.setdefault(key, value)
        return value


def _call(draft: _Draft, indexes: dict[Hashable, int]) -> Call:
    return Call(
        invoke=draft.invoke,
        made=indexes[draft.made] if draft.invoke is None else -1,
        keywords=tuple((name, indexes[key]) for name, key in draft.keywords.items()),
        needs=tuple(indexes[key] for key in draft.needs),
        fields=draft.dependency.fields,
    )
