"""Writes the site's source and configuration into .local/site; with `--finish`, moves what was built to site/."""

import re
import shutil
import sys
from pathlib import Path

from scripts.site.links import broken_links
from scripts.site.navigation import NAVIGATION, navigation, quote, title
from scripts.site.pages import rewrite
from scripts.site.vendored import FRAMES, MERMAID, fetch

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / ".local/site"
SOURCE = BUILD / "source"
SITE = ROOT / "site"
FROM_THE_ROOT = ("README-CN.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE")
IGNORED = shutil.ignore_patterns("node_modules", "__pycache__", "generated", "dist", "*.py")


def write_source() -> None:
    """Copy the pages, with links that lead somewhere on the site."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(ROOT / "docs", SOURCE, ignore=IGNORED)
    shutil.copy(ROOT / "README.md", SOURCE / "index.md")
    for name in FROM_THE_ROOT:
        shutil.copy(ROOT / name, SOURCE)
    (SOURCE / "assets").mkdir()
    for script in (MERMAID, FRAMES):
        shutil.copy(fetch(script, BUILD), SOURCE / "assets" / script.name)
    shutil.copy(ROOT / "scripts/site/site.css", SOURCE / "assets")
    for page in SOURCE.rglob("*.md"):
        name = page.relative_to(SOURCE).as_posix()
        page.write_text(rewrite(page.read_text(), name, from_root=name in ("index.md", *FROM_THE_ROOT)))


def write_configuration() -> None:
    """Write zensical.toml: scripts/site/zensical.toml with the navigation."""
    base = (ROOT / "scripts/site/zensical.toml").read_text()
    base = base.replace('site_name = ""', f"site_name = {quote(title(ROOT / 'README.md'))}")
    (BUILD / "zensical.toml").write_text(base.replace("nav = []", f"nav = {quote(navigation(SOURCE, NAVIGATION))}"))


def finish() -> None:
    """Move the site to site/; let its pages take the script of the search from there, and say which are in Chinese.

    Raises:
        ValueError: A page would load a script from another host, or has a link that leads nowhere.
    """
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.move(BUILD / "built", SITE)
    for page in SITE.rglob("*.html"):
        up = "../" * (len(page.relative_to(SITE).parts) - 1)
        text = page.read_text().replace("https://unpkg.com/iframe-worker/shim", f"{up}assets/{FRAMES.name}")
        if page.stem.endswith("-CN"):
            text = text.replace('<html lang="en"', '<html lang="zh-CN"', 1)
        if foreign := re.search(
            r"""<(?:script|link rel="(?:stylesheet|preload)|img)[^>]*(?:src|href)="https?://[^"]+""", text
        ):
            raise ValueError(f"{page.relative_to(SITE)}: {foreign[0]}")
        page.write_text(text)
    if broken := broken_links(SITE):
        raise ValueError("Links that lead nowhere:\n" + "\n".join(broken))


if __name__ == "__main__":
    if "--finish" in sys.argv:
        finish()
    else:
        write_source()
        write_configuration()
