"""Private names of other libraries that we depend on: each is listed in `tests/foreign`, and still there."""

from pathlib import Path

import pytest

from tests.foreign.internal import Internal, all_internals
from tests.foreign.scan import Tree

ROOT = Path(__file__).resolve().parents[1]
INTERNALS = list(all_internals())


@pytest.mark.slow
def test_the_installed_versions_have_them() -> None:
    problems = [
        f"{problem}; {', '.join(internal.used_in)} need it: {internal.reason}"
        for internal in INTERNALS
        if (problem := internal.problem()) is not None
    ]
    assert problems == []


@pytest.mark.slow
def test_every_use_in_src_is_listed() -> None:
    listed = {(path, internal.name) for internal in INTERNALS for path in internal.used_in}
    uses = Tree(ROOT, "src", {internal.name for internal in INTERNALS}).uses()
    unlisted = {str(use) for use in uses if (use.path, use.name) not in listed}
    assert sorted(unlisted) == []


def test_every_listed_name_is_used_where_its_entry_says() -> None:
    unused = [
        f"{internal} in {path}"
        for internal in INTERNALS
        for path in internal.used_in
        if not (ROOT / path).is_file() or internal.name not in (ROOT / path).read_text()
    ]
    assert unused == []


class TestProblem:
    def test_a_name_that_is_gone(self) -> None:
        gone = Internal("kombu.transport.redis:Channel", "_gone", "none", ())
        assert gone.problem() == "kombu.transport.redis:Channel._gone does not exist"

    def test_another_signature(self) -> None:
        changed = Internal("kombu.transport.redis:Channel", "_q_for_pri", "none", (), "(self, queue)")
        assert "takes (self, queue, pri), not (self, queue)" in str(changed.problem())


class TestTree:
    def uses(self, directory: Path, source: str, *listed: str) -> list[str]:
        (directory / "package").mkdir(exist_ok=True)
        (directory / "package" / "module.py").write_text(source)
        return sorted({use.name for use in Tree(directory, "package", listed).uses()})

    def test_imports(self, tmp_path: Path) -> None:
        source = "from celery._state import _task_stack\nfrom package.other import _own\n"
        assert self.uses(tmp_path, source) == ["_task_stack"]

    def test_overrides_and_inherited_names(self, tmp_path: Path) -> None:
        source = """
from kombu.transport import redis as stock

class Base(stock.Channel):
    def _put(self): self._own()
    def _own(self): self._expires

class Derived(Base):
    def _brpop_read(self): super()._brpop_read(); self._own()
"""
        assert self.uses(tmp_path, source) == ["_brpop_read", "_expires", "_put"]

    def test_a_base_that_a_package_exports(self, tmp_path: Path) -> None:
        (tmp_path / "package").mkdir()
        (tmp_path / "package" / "__init__.py").write_text("from kombu.transport.redis import Channel\n")
        source = """
from package import Channel

class Mine(Channel):
    def _brpop_read(self): ...
"""
        assert self.uses(tmp_path, source) == ["_brpop_read"]

    def test_attributes_of_other_objects(self, tmp_path: Path) -> None:
        source = """
class Own:
    def __init__(self): self._friend = 1
    def _deliver(self): ...

def read(own, foreign): return own._friend, foreign._deliver(), foreign._secret, getattr(foreign, "_other", None)
"""
        assert self.uses(tmp_path, source, "_deliver") == ["_deliver", "_other", "_secret"]

    def test_an_attribute_that_collides_with_one_of_the_base(self, tmp_path: Path) -> None:
        source = """
from kombu.transport.redis import Channel

class Mine(Channel):
    def __init__(self): self._queue_cycle = None
"""
        assert self.uses(tmp_path, source) == ["_queue_cycle"]
