"""Every code block of every page is run by a test: by one that `RUN_BY` names, or here.

Chinese pages have the blocks of their originals, which `tests/docs/test_claims.py` compares.
"""

import configparser
import importlib.util
import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from alembic.config import CommandLine
from celery.bin.celery import celery
from uvicorn.main import main as uvicorn

from scripts.check.commit_message import FIRST_LINE
from src.main import rest
from src.manage.__main__ import app as manage
from src.schemas.schedule import ScheduleCreate
from tests.docs.readme import ROOT, blocks
from tests.docs.test_configuration import FIELDS, FOREIGN

pytestmark = pytest.mark.unit

# Here, on all pages, or no program: a browser draws diagrams.
HERE = {"bash", "http", "ini", "json", "mermaid", "text"}
RUN_BY = {
    "README.md": {"docs/test_examples.py", "docs/test_claims.py"},
    "docs/auth.md": {"docs/test_commands.py", "docs/test_scripts.py"},
    "docs/capacity.md": {"docs/test_observability.py"},
    "docs/client/python/README.md": {"docs/test_scripts.py"},
    "docs/client/typescript/README.md": {"docs/test_scripts.py"},
    "docs/data.md": {"shop/test_guide.py"},
    "docs/databases.md": {"docs/test_stores.py"},
    "docs/deploy/rabbitmq.md": {"docs/test_stores.py"},
    "docs/files.md": {"docs/test_commands.py"},
    "docs/frontend.md": {"docs/test_commands.py"},
    "docs/how-to": {"docs/test_how_to.py"},
    "docs/identity.md": {"security/factors/test_chromium.py", "security/test_recent_login.py"},
    "docs/mongodb.md": {"docs/test_stores.py"},
    "docs/moving-in.md": {"docs/test_moving_in.py"},
    "docs/new-feature.md": {"docs/test_new_feature.py"},
    "docs/redis.md": {"docs/test_stores.py"},
    "docs/socket-handlers.md": {"docs/test_sockets.py"},
    "docs/sockets.md": {"docs/test_recovering_client.py", "docs/test_scripts.py"},
    "docs/tasks.md": {"docs/test_stores.py"},
    "docs/tutorials": {"docs/test_tutorials.py"},
    "docs/workflows.md": {"docs/test_workflows.py"},
}
# Programs of others, and of the shell, whose arguments are not checked.
OF_OTHERS = {"awk", "cd", "cp", "curl", "docker", "git", "kubectl", "npm", "npx", "openssl", "pip", "python3", "source"}
OF_OTHERS |= {"for", "do", "done", "echo"}
# Variables of the shell, of Python, of libraries, and those of `docs/deploy/`.
VARIABLE = re.compile(
    r"[a-z]\w*|PATH|PYTHONPATH|BOOTSTRAP|OTEL_\w+|CELERY_CUSTOM_WORKER_POOL|MYSQL_DATABASE_URL|FAULT_MATRIX"
)

COMMANDS = {command.name for command in manage.registered_commands} | {"user"}

PAGES = {
    file: (ROOT / file).read_text()
    for file in subprocess.check_output(["git", "ls-files", "*.md"], cwd=ROOT, text=True).splitlines()  # noqa: S607 - Git
    if not file.endswith("-CN.md")
}


def on_all_pages(language: str) -> list[tuple[str, str]]:
    """Each block of a language, with its page."""
    return [(page, block) for page, text in PAGES.items() for block in blocks(language, text)]


def commands(block: str) -> Iterator[list[str]]:
    """The commands of a shell's block, as words."""
    for line in block.replace("\\\n", " ").splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        command: list[str] = []
        for word in [*words, ";"]:
            if not re.fullmatch(r"[();|&]+", word):
                command.append(word)
            elif command:
                yield command
                command = []


def options_of(command: click.Command) -> set[str]:
    """What a command of click takes, in all spellings."""
    return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}


def fault(words: list[str], folder: Path) -> str | None:
    """What is wrong with a command; None if nothing is."""
    while words and (assigned := re.match(r"(\w+)=", words[0])):
        if assigned[1] not in {*FIELDS, *FOREIGN} and not VARIABLE.fullmatch(assigned[1]):
            return f"there is no setting {assigned[1]}"
        words = words[1:]
    if not words or Path(words[0]).name in OF_OTHERS:
        return None
    program, *arguments = words
    if program == "python":
        return python_fault(arguments, folder)
    if program in ("alembic", "celery", "uvicorn"):
        return option_fault(program, arguments)
    return script_fault(program, arguments)


def option_fault(program: str, arguments: list[str]) -> str | None:
    """What is wrong with a command of a library: an option that it does not have."""
    if program == "alembic":
        CommandLine().parser.parse_args(arguments)  # ends the test
        return None
    names = [word for word in arguments if word in celery.commands]
    takers = [uvicorn] if program == "uvicorn" else [celery, celery.commands[names[0]]]
    unknown = {word.partition("=")[0] for word in arguments if word.startswith("-")} - set().union(
        *map(options_of, takers)
    )
    return f"{program} has no {unknown}" if unknown else None


def python_fault(arguments: list[str], folder: Path) -> str | None:
    """What is wrong with a call of Python: the file, the module, or an option that its code does not have."""
    if arguments[0] != "-m":
        is_of_django = arguments[0] == "manage.py"
        return None if is_of_django or (folder / arguments[0]).exists() else f"there is no {arguments[0]}"
    spec = importlib.util.find_spec(arguments[1])
    if spec is None or spec.origin is None:
        return f"there is no module {arguments[1]}"
    file = Path(spec.origin)
    files = file.parent.glob("*.py") if file.name == "__init__.py" else [file]
    code = "".join(file.read_text() for file in files)
    options = {argument.partition("=")[0] for argument in arguments if argument.startswith("--")}
    unknown = {option for option in options if option not in code and option[2:].replace("-", "_") not in code}
    return f"{arguments[1]} has no {unknown}" if unknown else None


def script_fault(program: str, arguments: list[str]) -> str | None:
    """What is wrong with a script of ours, or with the first thing that it is told."""
    if not os.access(ROOT / program, os.X_OK):
        return f"there is no {program}"
    if program.endswith("manage.sh") and arguments[0] not in COMMANDS:
        return f"there is no command {arguments[0]}"
    missing = [
        path for path in arguments if path.startswith("tests/") and not (ROOT / path.partition("::")[0]).exists()
    ]
    return f"there is no {missing}" if missing else None


class TestTheBlocks:
    @pytest.mark.parametrize("page", PAGES)
    def test_are_run_by_a_test(self, page: str) -> None:
        languages = set(re.findall(r"^ *```(\w+)$", PAGES[page], re.MULTILINE)) - HERE
        tests = RUN_BY.get(page) or RUN_BY.get(page.rpartition("/")[0])
        assert tests or not languages, f"Run these blocks in a test, and name it in RUN_BY: {languages}"

    def test_are_run_by_tests_that_exist(self) -> None:
        assert {page for page in RUN_BY if page not in PAGES and not (ROOT / page).is_dir()} == set()
        assert [test for tests in RUN_BY.values() for test in tests if not (ROOT / "tests" / test).exists()] == []


class TestCommands:
    """Those of the tutorials are typed by their own test."""

    @pytest.mark.parametrize(
        "page", [page for page in PAGES if blocks("bash", PAGES[page]) and "/tutorials/" not in page]
    )
    def test_exist_and_have_their_options(self, page: str) -> None:
        found = [
            fault(words, (ROOT / page).parent) for block in blocks("bash", PAGES[page]) for words in commands(block)
        ]
        assert list(filter(None, found)) == []

    @pytest.mark.parametrize(
        "line",
        [
            "./scripts/nothing.sh",
            "./scripts/manage.sh nothing",
            "./scripts/test.sh tests/nothing.py",
            "NOTHING=1 ./scripts/dev.sh",
            "python -m scripts.nothing",
            "python -m scripts.bench.capacity --nothing",
            "python nothing.py --x",
            "celery -A src.queues.app worker --nothing",
            "source x && uvicorn src.main:app --nothing",
            "(cd x && ./nothing)",
        ],
    )
    def test_that_do_not_exist_are_found(self, line: str) -> None:
        assert any(fault(words, ROOT) for words in commands(line))


class TestOtherBlocks:
    def test_requests_are_of_routes_and_have_valid_bodies(self) -> None:
        codes = {route.code for route in rest.state.registry.routes}
        for page, block in on_all_pages("http"):
            lines = block.splitlines()
            requests = [line for line in lines if not line.startswith("{")]
            assert [line for line in requests if line.replace(" ", ":", 1) not in codes] == [], page
            if bodies := [line for line in lines if line.startswith("{")]:
                assert (page, requests) == ("docs/schedules.md", ["POST /api/v1/schedules"])
                ScheduleCreate.model_validate_json(bodies[0])

    def test_json_is_json(self) -> None:
        assert all(json.loads(block) for _, block in on_all_pages("json"))

    def test_configuration_files_can_be_read_and_start_our_programs(self) -> None:
        for page, block in on_all_pages("ini"):
            parser = configparser.ConfigParser(interpolation=None, strict=False)
            text = block.replace("\\\n", " ")
            parser.read_string(text if text.startswith("[") else f"[Service]\n{text}")
            for section in parser.values():
                if line := section.get("ExecStart"):
                    path, *arguments = shlex.split(line)
                    assert fault([Path(path).name, *arguments], ROOT) is None, page

    def test_diagrams_are_drawn(self) -> None:
        """A semicolon ends a statement of Mermaid: what follows it is a syntax error."""
        assert [page for page, block in on_all_pages("mermaid") if ";" in block] == []

    def test_the_form_of_a_commit_message_is_one_that_is_accepted(self) -> None:
        (form,) = blocks("text", PAGES["docs/GIT.md"])
        assert FIRST_LINE.fullmatch(form.partition("\n")[0].replace("type", "fix"))
