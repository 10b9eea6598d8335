"""The lists in which features are registered."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from string import Template

from scripts.new_feature.noun import Noun


@dataclass(frozen=True)
class Entry:
    """An element that a feature adds to the tuple, list or dict that a module assigns to `collection`."""

    file: str
    collection: str
    element: str
    imports: str = ""


ENTRIES = (
    Entry("src/models/__init__.py", "__all__", '"$Noun"', "from src.models.$noun import $Noun"),
    Entry("src/api/v1/router.py", "MODULES", "$nouns", "from src.api.v1 import $nouns"),
    Entry("src/websockets/app.py", "MODULES", "$noun", "from src.websockets.events import $noun"),
    Entry(
        "src/schemas/events.py",
        "SERVICE_EVENTS",
        ", ".join(f'"$noun.{change}": ${{Noun}}Ref' for change in ("created", "updated", "deleted")),
        "from src.schemas.$noun import ${Noun}Ref",
    ),
    Entry(
        "src/queues/beat_schedule.py",
        "BEAT_SCHEDULE",
        '"$nouns.purge": {"task": "$nouns.purge", "schedule": 86_400.0, "options": {"expires": 3600}}',
    ),
)


def register(root: Path, noun: Noun) -> dict[str, str]:
    """The text of each list with the feature in it, by path."""
    return {entry.file: _add((root / entry.file).read_text(), entry, noun.spellings()) for entry in ENTRIES}


def _add(text: str, entry: Entry, spellings: dict[str, str]) -> str:
    body = ast.parse(text).body
    last = _last_element(body, entry.collection)
    lines = text.encode().splitlines(keepends=True)  # Python's positions count bytes
    # The element first, then the import: inserting the import moves everything below it.
    line, column = last.end_lineno or 0, last.end_col_offset or 0
    element = Template(entry.element).substitute(spellings).encode()
    lines[line - 1] = lines[line - 1][:column] + b", " + element + lines[line - 1][column:]
    if entry.imports:
        first = next(node.lineno for node in body if isinstance(node, ast.Import | ast.ImportFrom))
        lines.insert(first - 1, Template(entry.imports).substitute(spellings).encode() + b"\n")
    return b"".join(lines).decode()


def _last_element(body: list[ast.stmt], collection: str) -> ast.expr:
    for node in body:
        match node:
            case ast.Assign(targets=[target], value=value) | ast.AnnAssign(target=target, value=value):
                match target, value:
                    case ast.Name(id=name), (
                        ast.Tuple(elts=[*_, last]) | ast.List(elts=[*_, last]) | ast.Dict(values=[*_, last])
                    ) if name == collection:
                        return last
    raise LookupError(f"There is no {collection} with an element in it.")


def unregister(root: Path, noun: Noun) -> dict[str, str]:
    """The text of each list without the feature, by path."""
    return {entry.file: _without((root / entry.file).read_text(), entry, noun.spellings()) for entry in ENTRIES}


def registered(body: list[ast.stmt], file: str, noun: Noun) -> list[ast.AST]:
    """What `register` wrote into a module, by its path: the elements of the collection, and the imported name."""
    written: list[ast.AST] = []
    for entry in ENTRIES:
        if entry.file == file:
            written += [node for element in _registered(body, entry, noun.spellings()) for node in element]
            if entry.imports and (found := _registered_import(body, entry, noun.spellings())):
                written.append(found[1])
    return written


def _registered(body: list[ast.stmt], entry: Entry, spellings: dict[str, str]) -> list[tuple[ast.expr, ast.expr]]:
    added = _elements(ast.parse(f"_ = {{{Template(entry.element).substitute(spellings)}}}").body[0])
    names = {ast.unparse(key) for key, _ in added}
    collection = next(node for node in body if _assigned_name(node) == entry.collection)
    return [(key, value) for key, value in _elements(collection) if ast.unparse(key) in names]


def _registered_import(
    body: list[ast.stmt], entry: Entry, spellings: dict[str, str]
) -> tuple[ast.ImportFrom, ast.alias] | None:
    (wanted,) = ast.parse(Template(entry.imports).substitute(spellings)).body
    assert isinstance(wanted, ast.ImportFrom)  # noqa: S101 - all entries import in this form
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.module == wanted.module:
            for alias in node.names:
                if alias.name == wanted.names[0].name:
                    return node, alias
    return None


def _without(text: str, entry: Entry, spellings: dict[str, str]) -> str:
    for key, value in reversed(_registered(ast.parse(text).body, entry, spellings)):
        text = _cut(text, key, value)
    if entry.imports and (found := _registered_import(ast.parse(text).body, entry, spellings)):
        text = _without_import(text, *found)
    return text


def _assigned_name(node: ast.stmt) -> str | None:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
    return None


def _elements(node: ast.stmt) -> list[tuple[ast.expr, ast.expr]]:
    """The elements of the collection that is assigned; of a dict its keys and values, else each element twice."""
    match node:
        case ast.Assign(value=value) | ast.AnnAssign(value=value):
            match value:
                case ast.Dict(keys=keys, values=values):
                    return [(key, value) for key, value in zip(keys, values, strict=True) if key is not None]
                case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
                    return [(element, element) for element in elements]
    return []


def _cut(text: str, first: ast.expr, last: ast.expr) -> str:
    """The text without an element of a collection, its comma, and its line if nothing else is on it."""
    lines = text.encode().splitlines(keepends=True)  # Python's positions count bytes
    start = sum(map(len, lines[: first.lineno - 1])) + first.col_offset
    end = sum(map(len, lines[: (last.end_lineno or 0) - 1])) + (last.end_col_offset or 0)
    before, after = text.encode()[:start].decode(), text.encode()[end:].decode()
    if found := re.match(r"\s*,[ \t]*", after):
        after = after[found.end() :]
        if re.search(r"\n[ \t]*$", before) and after.startswith("\n"):
            return before.rstrip(" \t") + after[1:]
        return before + after
    return re.sub(r",\s*$", "", before) + after


def _without_import(text: str, statement: ast.ImportFrom, removed: ast.alias) -> str:
    """The text without one imported name; the rest of its statement is written on one line."""
    rest = [alias for alias in statement.names if alias is not removed]
    lines = text.splitlines(keepends=True)
    kept = [ast.unparse(ast.ImportFrom(statement.module, rest, 0)) + "\n"] if rest else []
    return "".join([*lines[: statement.lineno - 1], *kept, *lines[statement.end_lineno :]])
