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
# Sources of the programs in docs/client are not part of the site.
IGNORED = shutil.ignore_patterns(
    "node_modules", "__pycache__", "generated", "dist", "src", "frontend", "api_client", "*.py"
)
LOGO = re.compile(r'<a href="[^"]*"(?= title="[^"]*" class="md-\w+__button md-logo")')


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
    """Move the site to site/, and change in its pages what Zensical has no setting for.

    The script of the search comes from the site, the logo leads to a file (on a disk, a folder is no page), and Chinese
    pages say that they are.

    Raises:
        ValueError: A page would load a script from another host, or has a link that leads nowhere.
    """
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.move(BUILD / "built", SITE)
    for page in SITE.rglob("*.html"):
        up = "../" * (len(page.relative_to(SITE).parts) - 1)
        text = page.read_text().replace("https://unpkg.com/iframe-worker/shim", f"{up}assets/{FRAMES.name}")
        home = "index.html"
        if page.stem.endswith("-CN"):
            text, home = text.replace('<html lang="en"', '<html lang="zh-CN"', 1), "README-CN.html"
        text = LOGO.sub(f'<a href="{up}{home}"', text)
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
