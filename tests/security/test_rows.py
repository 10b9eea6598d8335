"""Rows of the security requirements have test classes with their numbers: `TestRow01…` to `TestRow65…`."""

import ast
import re
from collections.abc import Iterator

from tests.support.stores import ROOT

ROWS = range(1, 66)
# The first round, and of the second what clients without an account can try.
REQUIRED = {*range(1, 53), 54, 55}


def rows_with_a_test() -> Iterator[int]:
    """The row numbers of all classes with at least one test."""
    for path in ROOT.glob("tests/**/test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and (number := re.match(r"TestRow(\d\d)[A-Z]", node.name)):
                functions = (ast.FunctionDef, ast.AsyncFunctionDef)
                if any(isinstance(item, functions) and item.name.startswith("test_") for item in node.body):
                    yield int(number[1])


def test_each_row_is_tested_under_its_number() -> None:
    assert REQUIRED <= set(rows_with_a_test()) <= set(ROWS)
