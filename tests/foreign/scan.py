"""Finds uses of private names of other libraries in a source tree, from its syntax.

Reported are private names that are imported from another library, that a class overrides or takes from a foreign base
class, and that are read from an object other than `self`. Not seen are `getattr` with a string, and an attribute of a
foreign object whose name a class of the same file defines as well, unless a list names it.
"""

import ast
import inspect
import sys
import textwrap
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

PYTHON_TYPES = object, type, BaseException, types.FunctionType, types.MethodType, types.ModuleType, types.CoroutineType
# Names that start with an underscore, and are documented: by Python, SQLAlchemy and pydantic.
DOCUMENTED = {
    *(name for python_type in PYTHON_TYPES for name in dir(python_type)),
    *{"__await__", "__aenter__", "__aexit__", "__all__", "__annotations__", "__call__", "__class_getitem__"},
    *{"__contains__", "__enter__", "__exit__", "__file__", "__func__", "__getattr__", "__getitem__", "__iter__"},
    *{"__len__", "__name__", "__next__", "__path__", "__post_init__", "__required_keys__", "__self__", "__signature__"},
    *{"__slots__", "__value__", "__wrapped__", "_", "_asdict", "_current_frames", "_exit", "_fields", "_replace"},
    *{"__get_pydantic_core_schema__", "__get_pydantic_json_schema__", "__pydantic_init_subclass__"},
    *{"__table__", "__table_args__", "__tablename__"},
}


@dataclass(frozen=True)
class Use:
    """A private name that a file uses and does not define."""

    path: str
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.name}"


@dataclass
class Class:
    """A class of the scanned tree.

    Attributes:
        bases: Qualified names, `module.Name`.
        defined: Private names that its body or its methods assign, with their lines.
    """

    path: str
    bases: list[str]
    defined: dict[str, int] = field(default_factory=dict)


def is_private(name: str) -> bool:
    """Whether a name belongs to whoever defines it."""
    return name.startswith("_") and name not in DOCUMENTED


class Tree:
    """A source tree, and where it uses private names of other libraries.

    Args:
        root: The directory that holds the package.
        package: The package's name.
        listed: Names that are known to be foreign.
    """

    def __init__(self, root: Path, package: str, listed: Iterable[str]) -> None:
        self.package = package
        self.listed = frozenset(listed)
        self.modules = {
            ".".join(path.relative_to(root).with_suffix("").parts): (
                str(path.relative_to(root)),
                ast.parse(path.read_text()),
            )
            for path in sorted((root / package).rglob("*.py"))
        }
        self.imports = {module: _imports(tree) for module, (_, tree) in self.modules.items()}
        self.classes = {
            f"{module}.{node.name}": Class(path, [self._qualify(module, base) for base in node.bases], _defined(node))
            for module, (path, tree) in self.modules.items()
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
        }

    def uses(self) -> Iterator[Use]:
        """Every use of a private name that is not the tree's own."""
        for module, (path, tree) in self.modules.items():
            yield from self._imported(path, tree)
            own = {name for cls in self.classes.values() if cls.path == path for name in cls.defined}
            for line, name in _read_from_others(tree):
                if name in self.listed or name not in own:
                    yield Use(path, line, name)
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    yield from self._used_by_class(f"{module}.{node.name}", node)

    def _imported(self, path: str, tree: ast.Module) -> Iterator[Use]:
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and not f"{node.module}.".startswith(f"{self.package}."):
                for alias in node.names:
                    if is_private(alias.name):
                        yield Use(path, node.lineno, alias.name)

    def _used_by_class(self, name: str, node: ast.ClassDef) -> Iterator[Use]:
        ancestors, foreign = self._ancestors(name)
        own = {private for ancestor in ancestors for private in self.classes[ancestor].defined}
        theirs = {private for base in foreign for private in _private_names(base)}
        for private, line in self.classes[name].defined.items():
            if private in theirs:
                yield Use(self.classes[name].path, line, private)
        for inner in ast.walk(node):
            if (
                isinstance(inner, ast.Attribute)
                and is_private(inner.attr)
                and _is_own(inner.value)
                and (inner.attr in theirs or inner.attr not in own)
            ):
                yield Use(self.classes[name].path, inner.lineno, inner.attr)

    def _ancestors(self, name: str) -> tuple[set[str], list[type]]:
        """The class and its bases in the tree, and the foreign bases of all of them."""
        own, foreign, left = set(), [], [name]
        while left:
            current = self._definition(left.pop())
            if current in self.classes:
                own.add(current)
                left.extend(self.classes[current].bases)
            elif current.partition(".")[0] not in sys.stdlib_module_names | {self.package, ""}:
                module, _, attribute = current.rpartition(".")
                base: Any = getattr(import_module(module), attribute)
                if isinstance(base, type):
                    foreign.append(base)
        return own, foreign

    def _definition(self, name: str) -> str:
        """The name under which a class is defined, which a package may export under its own."""
        package, _, attribute = name.rpartition(".")
        return self.imports.get(f"{package}.__init__", {}).get(attribute, name)

    def _qualify(self, module: str, base: ast.expr) -> str:
        """The full name of a base class, `""` for what is no name."""
        while isinstance(base, ast.Subscript):
            base = base.value
        first, _, rest = ast.unparse(base).partition(".")
        target = self.imports[module].get(first, f"{module}.{first}")
        return f"{target}.{rest}" if rest else target


def instance_attributes(cls: type) -> set[str]:
    """Names that methods of a class, or of its bases, assign to `self`."""
    return {name for base in cls.__mro__ for name in _assigned_in(base.__module__).get(base.__name__, ())}


def attributes_read(owner: Any) -> set[str]:
    """Names of attributes in the source of a module, or of a class and its bases."""
    sources = owner.__mro__[:-1] if isinstance(owner, type) else [owner]
    trees = [ast.parse(textwrap.dedent(inspect.getsource(source))) for source in sources]
    return {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def _private_names(cls: type) -> set[str]:
    names = {name for base in cls.__mro__ if base is not object for name in vars(base)} | instance_attributes(cls)
    return {name for name in names if is_private(name)}


@cache
def _assigned_in(module: str) -> dict[str, set[str]]:
    """By class, the attributes that a foreign module's methods assign to `self`."""
    if module.partition(".")[0] in sys.stdlib_module_names:
        return {}
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError):  # compiled
        return {}
    return {node.name: set(_assigned(node)) for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def _assigned(node: ast.ClassDef) -> dict[str, int]:
    return {
        inner.attr: inner.lineno
        for inner in ast.walk(node)
        if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store) and _is_own(inner.value)
    }


def _defined(node: ast.ClassDef) -> dict[str, int]:
    names = _assigned(node)
    for statement in node.body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names[name] = statement.lineno
            case ast.AnnAssign(target=ast.Name(id=name)):
                names[name] = statement.lineno
            case ast.Assign(targets=targets):
                names |= {target.id: statement.lineno for target in targets if isinstance(target, ast.Name)}
    return {name: line for name, line in names.items() if is_private(name)}


def _imports(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names |= {alias.asname: alias.name} if alias.asname else {top: top}
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _read_from_others(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Lines and names of private attributes that are read from an object other than `self`."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name, value=value) if is_private(name) and not _is_own(value):
                yield node.lineno, name
            case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(name)), *_]) if is_private(name):
                yield node.lineno, name


def _is_own(value: ast.expr) -> bool:
    """Whether an attribute is read from `self`, `cls` or `super()`."""
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id == "super"
    return isinstance(value, ast.Name) and value.id in ("self", "cls")
