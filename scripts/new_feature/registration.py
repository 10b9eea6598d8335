"""The lists by which the project knows its features."""

import ast
from dataclasses import dataclass
from pathlib import Path
from string import Template

from scripts.new_feature.noun import Noun


@dataclass(frozen=True)
class Entry:
    """What a feature adds to the tuple, list or dict that a module assigns to `collection`."""

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
        "src/queues/schedules.py",
        "BEAT_SCHEDULE",
        '"$nouns.purge": {"task": "$nouns.purge", "schedule": 86_400.0, "options": {"expires": 3600}}',
    ),
)

EVENTS_PAGE = "docs/sockets.md"
# The last row of the page's table of events, which the feature's rows come before.
LAST_EVENT = "| `error` | server |"
EVENTS = """\
| `$noun.get` | client | `{id}` | one of the $many |
| `$noun.created` | server | `{id}` | to everyone |
| `$noun.updated` | server | `{id}` | to everyone |
| `$noun.deleted` | server | `{id}` | to everyone |
"""


def register(root: Path, noun: Noun) -> dict[str, str]:
    """The lists with the feature in them, by their path in the project."""
    lists = {entry.file: _add((root / entry.file).read_text(), entry, noun.spellings()) for entry in ENTRIES}
    rows = Template(EVENTS).substitute(noun.spellings())
    return {**lists, EVENTS_PAGE: (root / EVENTS_PAGE).read_text().replace(LAST_EVENT, rows + LAST_EVENT)}


def _add(text: str, entry: Entry, spellings: dict[str, str]) -> str:
    body = ast.parse(text).body
    last = _last_element(body, entry.collection)
    lines = text.encode().splitlines(keepends=True)  # Python's positions count bytes
    # From the end to the start, so that what comes first is still where it was found.
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
