"""Whether the links of the built pages lead to files and headings of the site."""

from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links of an HTML page, and the ids that fragments may name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where an element leads, and its id."""
        named = dict(attrs)
        self.links.update(value for name in ("href", "src") if (value := named.get(name)))
        if name := named.get("id"):
            self.ids.add(name)


def broken_links(site: Path) -> list[str]:
    """One line for each link that leads nowhere; links to other hosts are not tried."""
    site = site.resolve()

    @cache
    def parsed(file: Path) -> Page:
        return Page(file.read_text())

    def exists(page: Path, link: str) -> bool:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            return True
        file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        return file.is_file() and (not parts.fragment or unquote(parts.fragment) in parsed(file).ids)

    return [
        f"{page.relative_to(site)}: {link}"
        for page in sorted(site.rglob("*.html"))
        for link in sorted(parsed(page).links)
        if page.name != "404.html" and not exists(page, link)
    ]
