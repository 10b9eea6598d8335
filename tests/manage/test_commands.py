"""The commands of manage.sh that need no store."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi.routing import iter_route_contexts

from src import NAME
from src.api import access
from src.core.config import settings
from src.main import rest
from src.manage import documents
from src.manage.rename import AS_IT_IS, EVERYWHERE, SMALL, rename
from src.manage.settings import without_password
from tests.core.conftest import pem
from tests.manage.conftest import Manage
from tests.support.stores import ROOT

pytestmark = pytest.mark.process

NO_STORE = dict.fromkeys(("SQL_DATABASE_URL", "REDIS_DATABASE_URL", "MONGO_DATABASE_URL", "MINIO_ENDPOINT"), "")
DEPLOYED = {
    "ENVIRONMENT": "STAGING",
    "ACCESS_TOKEN_KEY": "qW7-0hV3kZ_nB5xT9mL2cR8yJ4dF6sGaPuE1",
    "REFRESH_TOKEN_KEY": "Zt4_9bM1xK-vH6rC0nQ3wD7jL5fS2yGiUaO8",
}


class TestHelp:
    def test_reads_no_settings(self) -> None:
        code = "import sys, src.manage.__main__; print('src.core.config' in sys.modules)"
        assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True) == "False\n"  # noqa: S603 - ours

    def test_names_every_command(self, manage: Manage) -> None:
        text = manage("--help").stdout
        names = ("user", "doctor", "shell", "routes", "settings", "seed", "reset", "openapi", "asyncapi", "rename")
        assert [name for name in names if f" {name} " not in text] == []

    def test_shows_flags_without_a_value(self, manage: Manage) -> None:
        text = manage("user", "create", "--help").stdout
        assert re.search(r"^ +--generate +Generate a password", text, re.MULTILINE)
        assert "<bool>" not in text


class TestRoutes:
    @pytest.fixture(scope="class")
    @classmethod
    def rows(cls, manage: Manage) -> dict[str, tuple[str, str]]:
        """The callers and the engine of each code."""
        done = manage("routes", **NO_STORE)
        assert done.returncode == 0, done.stderr
        cells = [re.split(r"\s{2,}", line) for line in done.stdout.splitlines()[1:]]
        return {code: (callers, engine) for _, _, code, callers, engine in cells}

    def test_lists_every_code(self, rows: dict[str, tuple[str, str]]) -> None:
        assert {route.code for route in rest.state.registry.routes} == rows.keys() - {"-"}

    def test_tells_who_may_call(self, rows: dict[str, tuple[str, str]]) -> None:
        def called_by(kind: str) -> set[str]:
            return {code for code, (callers, _) in rows.items() if callers == kind} - {"-"}

        assert called_by("public") == access.public_routes(settings)
        assert called_by("any login") == access.session_routes(settings)

    def test_names_the_engine(self, rows: dict[str, tuple[str, str]]) -> None:
        assert rows["GET:/api/v1/notices"][1] != ""


class TestSettings:
    def test_masks_secrets(self, manage: Manage) -> None:
        marker = "s3cr3t-marker-which-nobody-may-see"
        url = f"postgresql://app:{marker}@localhost/app"
        secrets = {
            "ACCESS_TOKEN_KEY": marker,
            "MINIO_ROOT_PASSWORD": marker,
            "CELERY_REDIS_URL": f"redis://:{marker}@h/1",
            "CELERY_BROKER_URL": f"sentinel://:{marker}@a:1;sentinel://:{marker}@b:1/0?master_name=m&sentinel_password={marker}",
        }
        databases = json.dumps({"reports": url})
        provider = {"issuer": "https://idp.shop.net", "clientId": "shop", "clientSecret": marker}
        secrets |= {"OIDC_PROVIDERS": json.dumps({"idp": provider}), "OIDC_PUBLIC_URL": "https://api.shop.net"}
        text = manage("settings", **secrets, SQL_DATABASE_URL=url, SQL_DATABASES=databases).stdout
        assert marker not in text
        assert "postgresql://app:***@localhost/app" in text

    def test_names_the_source(self, manage: Manage) -> None:
        text = manage("settings", LOG_LEVEL="WARNING").stdout
        assert re.search(r"^LOG_LEVEL +environment +WARNING$", text, re.MULTILINE)
        assert re.search(r"^MAX_BODY_BYTES +default +1048576$", text, re.MULTILINE)

    def test_that_are_generated_or_embedded_say_so(self, manage: Manage) -> None:
        unset = NO_STORE | dict.fromkeys(("ACCESS_TOKEN_KEY", "RSA_PRIVATE_KEY", "REDIS_HOST"), "")
        text = manage("settings", **unset, ENVIRONMENT="LOCAL").stdout
        assert re.search(r"^ACCESS_TOKEN_KEY +(default +generated|\.local/env +\*{3})$", text, re.MULTILINE)
        assert re.search(
            r"^REDIS_DATABASE_URL +(default +embedded store, not running|\.local/env +redis:.*)$", text, re.M
        )

    def test_needs_no_store(self, manage: Manage) -> None:
        assert manage("settings", **NO_STORE).returncode == 0

    def test_that_cannot_be_used_are_one_line(self, manage: Manage) -> None:
        done = manage("settings", MAX_BODY_BYTES="many")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert "MAX_BODY_BYTES" in done.stderr

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("redis://:secret@host:1/0", "redis://:***@host:1/0"),
            ("mongodb://host/app?password=secret", "mongodb://host/app"),
            ("http://host:9000", "http://host:9000"),
        ],
    )
    def test_show_urls_without_passwords(self, url: str, shown: str) -> None:
        assert without_password(url) == shown


class TestDeployed:
    @pytest.mark.parametrize("command", ["seed", "reset"])
    def test_refuses_to_change_data(self, manage: Manage, command: str) -> None:
        key = pem(rsa.generate_private_key(public_exponent=65537, key_size=3072))
        done = manage(command, **DEPLOYED, RSA_PRIVATE_KEY=key)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert done.stderr.startswith("Refused: ENVIRONMENT is STAGING")


class TestDocuments:
    def test_have_the_routes_of_every_module(self) -> None:
        """Also of those that settings switch on: `documents.with_everything` has to switch a new one on."""
        routes = iter_route_contexts(documents.application().routes)
        served = {route.endpoint.__module__ for route in routes if route.endpoint is not None}
        written = [file for file in (ROOT / "src/api/v1").glob("*.py") if "APIRouter(" in file.read_text()]
        assert {f"src.api.v1.{file.stem}" for file in written} - served == {"src.api.v1.router"}

    def test_have_snapshots_that_are_up_to_date(self, capsys: pytest.CaptureFixture[str]) -> None:
        documents.write_openapi(check=True)
        documents.write_asyncapi(check=True)
        assert capsys.readouterr().out.count("is up to date.") == 2

    def test_are_written_elsewhere(self, manage: Manage, tmp_path: Path) -> None:
        file = tmp_path / "openapi.json"
        assert manage("openapi", "--output", str(file), **NO_STORE).stdout == f"Wrote {file}.\n"
        assert json.loads(file.read_text())["info"]["title"] == NAME

    def test_that_changed_are_shown(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(documents, "ROOT", tmp_path)
        (tmp_path / "kept.json").write_text('{\n  "a": 1\n}\n')
        with pytest.raises(SystemExit, match=r"kept\.json is out of date.*manage\.sh openapi"):
            documents.handle({"a": 2}, tmp_path / "kept.json", "openapi", check=True, output="")
        assert '-  "a": 1\n+  "a": 2\n' in capsys.readouterr().out


class TestRename:
    @pytest.fixture
    def copy(self, tmp_path: Path) -> Path:
        """Every file that may spell the name."""
        git = ["git", "ls-files", "-co", "--exclude-standard"]
        listed = subprocess.check_output(git, cwd=ROOT, text=True).splitlines()  # noqa: S603 - fixed
        for path in listed:
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / path).is_file():
                file.write_bytes((ROOT / path).read_bytes())
        return tmp_path

    def test_leaves_the_old_name_in_history_alone(self, copy: Path) -> None:
        rename(copy, "Parcel-Tracker")
        texts = {file: file.read_bytes().lower() for file in copy.rglob("*") if file.is_file()}
        left = {str(file.relative_to(copy)) for file, text in texts.items() if NAME.lower().encode() in text}
        assert {path for path in left if not path.startswith("docs/adr/")} <= {"LICENSE", "CHANGELOG.md"}

    def test_spells_it_as_each_file_wants_it(self, copy: Path) -> None:
        assert rename(copy, "Parcel-Tracker") == sorted({*AS_IT_IS, *SMALL, *EVERYWHERE})
        assert 'NAME = "Parcel-Tracker"' in (copy / "src/__init__.py").read_text()
        assert 'name = "parcel-tracker"' in (copy / "pyproject.toml").read_text()

    def test_there_and_back_changes_nothing(self, copy: Path) -> None:
        before = {path: (copy / path).read_bytes() for path in {*AS_IT_IS, *SMALL, *EVERYWHERE}}
        rename(copy, "X")
        rename(copy, NAME)
        assert {path: (copy / path).read_bytes() for path in before} == before

    @pytest.mark.parametrize("name", ["", "two words", "-x", "x-", "1st"])
    def test_refuses_what_is_no_name(self, manage: Manage, name: str) -> None:
        done = manage("rename", "--", name)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "is no project name" in done.stderr
