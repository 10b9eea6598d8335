"""What the site changes in a page: links, and the script of pages with diagrams."""

import re
from posixpath import dirname, normpath, relpath

LINK = re.compile(r"(!?)\[((?:[^][]|\[[^][]*\])*)\]\(([^)#\s]*)(#[^)\s]*)?\)")
CODE = re.compile(r"(^ *```.*?^ *```$|`[^`\n]+`(?!\]))", re.MULTILINE | re.DOTALL)
OF_THE_SITE = (".md", ".png", ".svg", ".mjs", ".js", ".html", ".css", ".conf", ".yaml", ".json", "LICENSE")


def rewrite(text: str, name: str, *, from_root: bool) -> str:
    """A page as the site has it.

    Args:
        text: The page's Markdown.
        name: Its path on the site.
        from_root: Whether the repository has it above docs/.
    """
    folder = dirname(f"docs/{name}") if not from_root else ""
    parts = CODE.split(text)
    parts[::2] = [LINK.sub(lambda link: _link(link, folder, name), part) for part in parts[::2]]
    text = "".join(parts)
    text = re.sub(r'(<img[^>]* src(?:set)?=")(?:\./)?docs/', r"\1", text)
    if "```mermaid" in text:
        script = relpath("assets/mermaid.js", dirname(name) or ".")
        text += f'\n<script src="{script}"></script>\n'
    return text


def _link(link: re.Match[str], folder: str, page: str) -> str:
    """The same link on the site; one to a file that the site does not have is plain text."""
    image, label, target, anchor = link.groups(default="")
    if not target or ":" in target:
        return link[0]
    path = normpath(f"{folder}/{target}" if folder else target)
    if path == "README.md":
        place = "index.md"
    elif path.startswith("docs/") and path.endswith(OF_THE_SITE):
        place = path.removeprefix("docs/")
    elif "/" not in path and path.endswith((".md", "LICENSE")):
        place = path
    elif path.startswith("docs/adr"):
        place = "adr/README.md"
    else:
        return label
    return f"{image}[{label}]({relpath(place, dirname(page) or '.')}{anchor})"
