"""docs/new-feature.md against the files that it walks through."""

import re

import pytest

from tests.docs.readme import ROOT, blocks

PAGE = (ROOT / "docs/new-feature.md").read_text()
EXCERPTS = [block.split("\n", 1) for block in blocks("python", PAGE)]
LAYERS = ["models", "schemas", "crud", "services", "deps", "api/v1", "api/v1", "websockets/events", "queues/tasks"]
OWNERS = ["deps", "services"]


class TestTheWalk:
    @pytest.mark.parametrize(("title", "excerpt"), EXCERPTS, ids=[title for title, _ in EXCERPTS])
    def test_shows_the_code(self, title: str, excerpt: str) -> None:
        """Line by line and in order; the file may have more lines in between."""
        code = iter((ROOT / title.removeprefix("# ")).read_text().splitlines())
        assert [line for line in excerpt.splitlines() if line not in code] == []

    def test_goes_through_every_layer(self) -> None:
        assert [title.rpartition("/")[0] for title, _ in EXCERPTS] == [f"# src/{layer}" for layer in LAYERS + OWNERS]

    def test_names_commands_that_exist(self) -> None:
        commands = re.findall(r"^(\./\S+)", "".join(blocks("bash", PAGE)), re.MULTILINE)
        assert {command for command in commands if not (ROOT / command).is_file()} == set()
