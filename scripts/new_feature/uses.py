"""Where other code uses a feature, so that it would fail without it."""

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from scripts.new_feature.console import APP
from scripts.new_feature.noun import Noun
from scripts.new_feature.registration import ENTRIES, registered


def uses(root: Path, noun: Noun, files: Collection[str], changed: Mapping[str, str]) -> list[str]:
    """The places outside the feature that use it, as `src/schemas/events.py:20, 24`.

    Args:
        root: The project.
        noun: The feature.
        files: Those of the feature itself, which go.
        changed: The texts without the feature of the files that name it, by path.
    """
    found: dict[str, list[int]] = {}
    route = re.compile(rf"/api/v1/{noun.spellings()['path']}(?![\w-])")
    for folder in ("src", "tests", "scripts"):
        for file in sorted(root.glob(f"{folder}/**/*.py")):
            path, text = str(file.relative_to(root)), file.read_text()
            # Parsing takes a second: only files that have the word.
            if path not in files and (noun.singular in text or noun.plural in text):
                found[path] = sorted(set(_lines(path, text, noun, files)))
    for file in sorted([*root.glob(f"{APP}/**/*.ts"), *root.glob(f"{APP}/**/*.vue")]):
        path = str(file.relative_to(root))
        if path not in files:
            lines = enumerate(changed.get(path, file.read_text()).splitlines(), 1)
            found[path] = [number for number, line in lines if route.search(line)]
    return [f"{path}:{', '.join(map(str, lines))}" for path, lines in found.items() if lines]


def _lines(path: str, text: str, noun: Noun, files: Collection[str]) -> Iterator[int]:
    tree = ast.parse(text)
    written = registered(tree.body, path, noun)
    own = {id(part) for node in written for part in ast.walk(node)}
    names = {node.asname or node.name for node in written if isinstance(node, ast.alias)}
    modules = {file.removesuffix(".py").replace("/", ".") for file in files}
    nodes = [node for node in ast.walk(tree) if id(node) not in own]
    for node in nodes:
        match node:
            case ast.ImportFrom(module=str(module), names=aliases):
                used = [alias for alias in aliases if {module, f"{module}.{alias.name}"} & modules]
                yield from (alias.lineno for alias in used if id(alias) not in own)
            case ast.Import(names=aliases):
                yield from (alias.lineno for alias in aliases if alias.name in modules)
            case ast.Name(id=name) if name in names:
                yield node.lineno
    # Names of events and tasks, where they are registered or sent; elsewhere they may be examples.
    is_list = any(entry.file == path for entry in ENTRIES)
    if is_list or path.startswith("src/"):
        strings = nodes if is_list else [call.args[0] for call in nodes if isinstance(call, ast.Call) and call.args]
        named = re.compile(rf"({noun.singular}|{noun.plural})\.\w+")
        for node in strings:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and named.fullmatch(node.value):
                yield node.lineno
