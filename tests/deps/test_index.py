"""The index of dependencies in the docstring of `src/deps`."""

import importlib

import pytest

import src.deps


@pytest.mark.parametrize("module", ["audit", "auth", "database", "permission"])
def test_lists_every_dependency(module: str) -> None:
    names = [name for name in vars(importlib.import_module(f"src.deps.{module}")) if name.endswith("Dep")]
    unlisted = [name for name in names if f"`{name}`" not in str(src.deps.__doc__)]
    assert [name for name in unlisted if not name.endswith("ServiceDep")] == []
