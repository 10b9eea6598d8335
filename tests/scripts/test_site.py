"""What scripts/docs.sh makes of the pages before Zensical builds them."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from scripts.site.links import broken_links
from scripts.site.navigation import NAVIGATION, navigation, quote
from scripts.site.pages import rewrite
from tests.docs.readme import ROOT

pytestmark = pytest.mark.unit


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The pages, as empty as their titles allow; those of the how-to as they are."""
    for page in (ROOT / "docs").rglob("*.md"):
        if "node_modules" not in page.parts:
            target = tmp_path / page.relative_to(ROOT / "docs")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(page.read_text())
    for name in ("index.md", "README-CN.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"):
        (tmp_path / name).write_text(f"# {name}\n")
    return tmp_path


def pages_of(part: Any) -> list[str]:
    if isinstance(part, str):
        return [part]
    if isinstance(part, dict):
        part = list(part.values())
    return [page for item in part for page in pages_of(item)]


class TestTheNavigation:
    def test_has_its_parts_and_every_page_once(self, source: Path) -> None:
        built = navigation(source, NAVIGATION)
        parts = ["Home", "Tutorials", "How-to", "Reference", "Explanation", "中文"]
        assert [next(iter(part)) for part in built][: len(parts)] == parts
        listed = pages_of(built)
        decisions = {f"adr/{page.name}" for page in (source / "adr").glob("0*.md")}
        assert sorted(listed) == sorted(
            {page.relative_to(source).as_posix() for page in source.rglob("*.md")} - decisions
        )

    def test_is_toml(self) -> None:
        nav = [{"A “part”": [{"Page | 中文": "a.md"}]}]
        assert tomllib.loads(f"nav = {quote(nav)}") == {"nav": nav}
        assert json.loads(quote("x")) == "x"


class TestALink:
    @pytest.mark.parametrize(
        ("name", "from_root", "before", "after"),
        [
            ("index.md", True, "[a](docs/auth.md#x)", "[a](auth.md#x)"),
            ("index.md", True, "[中文](README-CN.md)", "[中文](README-CN.md)"),
            ("auth.md", False, "[a](../README.md#start)", "[a](index.md#start)"),
            ("how-to/a.md", False, "[a](../data.md)", "[a](../data.md)"),
            ("client/python/README.md", False, "[a](../../frontend.md)", "[a](../../frontend.md)"),
            ("auth.md", False, "[the code](../src/main.py)", "the code"),
            ("auth.md", False, "![p](images/p.png)", "![p](images/p.png)"),
            ("auth.md", False, "[a](https://example.com)", "[a](https://example.com)"),
            ("auth.md", False, "`[a](../src/main.py)`", "`[a](../src/main.py)`"),
            ("auth.md", False, "```md\n[a](../src/main.py)\n```", "```md\n[a](../src/main.py)\n```"),
        ],
    )
    def test_leads_somewhere_on_the_site(self, name: str, from_root: bool, before: str, after: str) -> None:
        assert rewrite(before, name, from_root=from_root) == after

    def test_diagrams_bring_their_script(self) -> None:
        text = "```mermaid\nflowchart LR\n```\n"
        assert rewrite(text, "adr/a.md", from_root=False).endswith('<script src="../assets/mermaid.js"></script>\n')

    def test_that_leads_nowhere_is_found_in_what_is_built(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "b.html").write_text('<h1 id="开始">b</h1>')
        good = ("../b.html", "../b.html#%E5%BC%80%E5%A7%8B", "#here", "https://example.com/x", "mailto:a@example.com")
        bad = ("c.html", "../b.html#end", "#there")
        (tmp_path / "a/a.html").write_text("<p id=here>" + "".join(f'<a href="{link}">x</a>' for link in good + bad))
        assert broken_links(tmp_path) == [f"a/a.html: {link}" for link in sorted(bad)]
