"""The requirements of security have numbers, and so have the classes of their tests and the attacks of `attack.py`.

`TestRow01…` to `TestRow65…` are the requirements; `TestEscalation10…` and others are of the attack that led to the
second round of them, where it found what no requirement is about.
"""

import ast
import re
from collections import defaultdict

from tests.support.stores import ROOT

ROWS = {*range(1, 66)}
# Terminals, metrics, owners, limits per user.
ESCALATIONS = {10, 11, 19, 20}
NUMBERED = re.compile(r"Test(Row|Escalation)(\d\d)[A-Z]")
ATTACKS = "scripts/check/attack.py"


def rows_with_a_test() -> dict[str, set[int]]:
    """The numbers of all classes with at least one test, by what they number."""
    numbers = defaultdict(set)
    for path in ROOT.glob("tests/**/test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and (
                name := re.match(r"Test(Row|Escalation|Fault)(\d\d)[A-Z]", node.name)
            ):
                functions = (ast.FunctionDef, ast.AsyncFunctionDef)
                if any(isinstance(item, functions) and item.name.startswith("test_") for item in node.body):
                    numbers[name[1]].add(int(name[2]))
    return numbers


def test_each_row_is_tested_under_its_number() -> None:
    assert rows_with_a_test() == {"Row": ROWS, "Escalation": ESCALATIONS}


def test_each_attack_has_the_number_of_its_row() -> None:
    source = (ROOT / ATTACKS).read_text()
    attacks = source.count("judge(") - source.count("def judge(")
    assert len(re.findall(r"judge\(\s*f?\"(?:row [0-6]\d|metrics): ", source)) == attacks > 15
