"""Compile a handler and its dependencies into a plan."""

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import NamedTuple

from fastapi import params

from src.core.injection.connection import Read, compile_read
from src.core.injection.entry_point import EntryPoint
from src.core.injection.errors import UnresolvableParameterError
from src.core.injection.invoke import compile_invoke, is_generator
from src.core.injection.parameters import Parameter, Special, read_parameters
from src.core.injection.plan import Call, Overrides, Plan, Step


def compile_plan(
    handler: Call, door: EntryPoint, *, dependencies: Sequence[params.Depends] = (), overrides: Overrides | None = None
) -> Plan:
    """Analyse a handler's signature, and those of its dependencies, once.

    Args:
        handler: What the door will run: a function or bound method, synchronous (in a thread) or not.
        door: What can be supplied.
        dependencies: More dependencies, run before the handler's own, whose values nobody takes.
        overrides: Replacements for dependencies.

    Raises:
        UnresolvableParameterError: Some parameter can be supplied by nobody.
    """
    compiler = _Compiler(handler, door, overrides or {})
    for dependency in dependencies:
        compiler.dependency(handler, dependency)
    return compiler.finish(partial(_recompile, handler, door, dependencies))


def _recompile(handler: Call, door: EntryPoint, dependencies: Sequence[params.Depends], overrides: Overrides) -> Plan:
    return compile_plan(handler, door, dependencies=dependencies, overrides=overrides)


class _Draft(NamedTuple):
    """A step whose arguments are named by what makes them, before places are known."""

    call: Call
    positional: list[Hashable]
    keywords: dict[str, Hashable]


class _Compiler:
    def __init__(self, handler: Call, door: EntryPoint, overrides: Overrides) -> None:
        self.handler = handler
        self.door = door
        self.overrides = overrides
        self.unmarked: list[Parameter] = []
        self.specials: list[str] = []
        self.reads: list[Read] = []
        self.drafts: list[_Draft] = []
        self.cached: dict[Call, Hashable] = {}
        self.calls: set[Call] = set()

    def finish(self, recompile: Callable[[Overrides], Plan]) -> Plan:
        """Compile the handler itself, and give every value its place in the row."""
        if is_generator(self.handler):
            raise UnresolvableParameterError(self.handler, "return", "a handler returns; only dependencies may yield")
        last = self.draft(self.handler)
        keys: list[Hashable] = [("argument", parameter.name) for parameter in self.unmarked]
        keys += [("special", name) for name in self.specials]
        keys += [("read", number) for number in range(len(self.reads))]
        keys += [("step", number) for number in range(len(self.drafts))]
        places = {key: place for place, key in enumerate(keys)}
        return Plan(
            handler=self.handler,
            arguments=self.door.arguments(self.handler, self.unmarked),
            specials=tuple(self.specials),
            reads=tuple(self.reads),
            steps=tuple(_step(draft, places) for draft in self.drafts),
            last=_step(last, places),
            calls=frozenset(self.calls),
            has_generators=any(is_generator(draft.call) for draft in self.drafts),
            recompile=recompile,
        )

    def draft(self, call: Call) -> _Draft:
        draft = _Draft(call, [], {})
        for parameter in read_parameters(call):
            key = self.supply(call, parameter)
            if parameter.keyword_only:
                draft.keywords[parameter.name] = key
            else:
                draft.positional.append(key)
        return draft

    def supply(self, call: Call, parameter: Parameter) -> Hashable:
        """Name what makes the value of a parameter."""
        if isinstance(parameter.marker, params.Depends):
            return self.dependency(call, parameter.marker, parameter)
        if isinstance(parameter.marker, Special):
            return self.special(call, parameter, parameter.marker.name)
        if read := compile_read(call, parameter):
            if not self.door.connection:
                raise UnresolvableParameterError(call, parameter.name, "there is no HTTP connection here")
            self.reads.append(read)
            return "read", len(self.reads) - 1
        if call is not self.handler:
            reason = "only the handler takes unmarked parameters; mark it (Depends, Query, Header, ...)"
            raise UnresolvableParameterError(call, parameter.name, reason)
        self.unmarked.append(parameter)
        return "argument", parameter.name

    def special(self, call: Call, parameter: Parameter, name: str) -> Hashable:
        if name not in self.door.specials:
            raise UnresolvableParameterError(call, parameter.name, f"{name!r} is not known here")
        if name not in self.specials:
            self.specials.append(name)
        return "special", name

    def dependency(self, owner: Call, depends: params.Depends, parameter: Parameter | None = None) -> Hashable:
        """Compile a dependency, once for all who share its value."""
        name = parameter.name if parameter else "dependencies"
        call = depends.dependency or (parameter and parameter.type)
        if not callable(call):
            raise UnresolvableParameterError(owner, name, f"{call!r} is not callable")
        if isinstance(depends, params.Security) and depends.scopes:
            raise UnresolvableParameterError(owner, name, "security scopes are not supported")
        if depends.max_concurrency is not None:
            raise UnresolvableParameterError(owner, name, "max_concurrency is not supported")
        self.calls.add(call)
        call = self.overrides.get(call, call)
        if depends.use_cache and call in self.cached:
            return self.cached[call]
        self.drafts.append(self.draft(call))
        key = "step", len(self.drafts) - 1
        if depends.use_cache:
            self.cached[call] = key
        return key


def _step(draft: _Draft, places: dict[Hashable, int]) -> Step:
    return Step(
        invoke=compile_invoke(draft.call),
        positional=tuple(places[key] for key in draft.positional),
        keywords=tuple((name, places[key]) for name, key in draft.keywords.items()),
    )
