"""The four parts of the site, and their pages in order."""

import json
import re
from pathlib import Path
from typing import Any

# A folder stands for its English pages, ordered by their titles. Pages that are named nowhere come last; the list of
# decisions leads to them.
NAVIGATION: dict[str, Any] = {
    "Home": ["index.md"],
    "Tutorials": [
        *("tutorials/first-change.md", "tutorials/first-hour.md"),
        *("tutorials/live-dashboard.md", "tutorials/nightly-report.md", "moving-in.md"),
    ],
    "How-to": {
        "Recipes": "how-to/README.md",  # the groups of its table
        "Build": ["new-feature.md", "data.md", "databases.md", "mongodb.md", "redis.md", "workflows.md"],
        "Connect": [
            *("frontend.md", "auth.md", "identity.md", "sockets.md", "socket-handlers.md", "files.md"),
            *("client/typescript/README.md", "client/python/README.md"),
        ],
        "Operate": ["console.md", "operations.md", "observability.md", "capacity.md", "deploy/", "upgrading.md"],
        "Contribute": ["CONTRIBUTING.md", "GIT.md", "SECURITY.md"],
    },
    "Reference": ["configuration.md", "reference/", "reference.md", "glossary.md", "CHANGELOG.md"],
    "Explanation": {
        "Design": ["architecture.md", "where.md", "pictures.md", "reliability.md", "performance.md"],
        "Subjects": ["tasks.md", "schedules.md"],
        "Internals": ["internals/"],
        "Decisions": ["adr/README.md"],
    },
    "中文": {
        "教程": [
            *("README-CN.md", "tutorials/first-change-CN.md", "tutorials/first-hour-CN.md"),
            *("tutorials/live-dashboard-CN.md", "tutorials/nightly-report-CN.md", "moving-in-CN.md"),
        ],
        "操作指南": "how-to/README-CN.md",
        "开发": [
            *("new-feature-CN.md", "data-CN.md", "databases-CN.md", "mongodb-CN.md"),
            *("redis-CN.md", "workflows-CN.md"),
        ],
        "对接": [
            *("frontend-CN.md", "auth-CN.md", "identity-CN.md", "sockets-CN.md", "socket-handlers-CN.md"),
            *("files-CN.md", "client/typescript/README-CN.md", "client/python/README-CN.md"),
        ],
        "运维": [
            *("console-CN.md", "operations-CN.md", "upgrading-CN.md"),
            *("deploy/server-CN.md", "deploy/compose-CN.md", "deploy/rabbitmq-CN.md"),
        ],
        "理解": [
            *("architecture-CN.md", "pictures-CN.md", "reliability-CN.md"),
            *("tasks-CN.md", "schedules-CN.md", "glossary-CN.md"),
        ],
    },
}


def title(page: Path) -> str:
    """A page's first heading, without marks."""
    found = re.search(r"^# (.+)", page.read_text(), re.MULTILINE)
    return re.sub(r"[`*]", "", found[1]) if found else page.stem


def _expand(source: Path, entry: str) -> list[Path]:
    if not entry.endswith("/"):
        return [source / entry] if (source / entry).exists() else []
    pages = [page for page in (source / entry).glob("*.md") if not page.stem.endswith("-CN")]
    return sorted(pages, key=lambda page: (page.name != "README.md", _order(page)))


def _groups(index: Path, source: Path) -> dict[str, list[str]]:
    """The rows of a table of pages: what they are about, and the pages."""
    rows = re.findall(r"^\| (\w[^|]*?) \| (\[.+) \|$", index.read_text(), re.MULTILINE)
    folder = index.parent.relative_to(source).as_posix()
    return {
        subject: [f"{folder}/{name}" for name in re.findall(r"\]\(([\w-]+\.md)\)", pages)] for subject, pages in rows
    }


def _order(page: Path) -> str:
    return page.stem if re.match(r"\d", page.stem) else title(page).lower()


def navigation(source: Path, parts: dict[str, Any]) -> list[dict[str, Any]]:
    """The navigation as Zensical takes it: a list of titles with their pages."""
    named: set[Path] = set()

    def build(part: Any) -> list[dict[str, Any]]:
        if isinstance(part, dict):
            return [{name: build(pages)} for name, pages in part.items() if build(pages)]
        if isinstance(part, str):
            named.add(source / part)
            return [{title(source / part): part}, *build(_groups(source / part, source))]
        pages = [page for entry in part for page in _expand(source, entry)]
        named.update(pages)
        return [{title(page): page.relative_to(source).as_posix()} for page in pages]

    built = [{name: build(part)} for name, part in parts.items()]
    others = [page for page in source.rglob("*.md") if page not in named and page.parent != source / "adr"]
    rest = [{title(page): page.relative_to(source).as_posix()} for page in sorted(others)]
    return [*built, {"More": rest}] if rest else built


def quote(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, list):
        return f"[{', '.join(map(quote, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{quote(key)} = {quote(item)}' for key, item in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)
