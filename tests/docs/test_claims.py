"""What the README and the other pages say, against the code."""

import re
from functools import cache
from pathlib import Path

import httpx
import pytest
from redis import Redis

from scripts import reference
from scripts.check import translations
from tests.docs.readme import REFERENCE, ROOT, blocks, section

PAGES = [
    page for page in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]) if "node_modules" not in page.parts
]
TREE = blocks("text", section("Structure"))[0]
KEYS = re.findall(r"`(auth:[^`]+)`", REFERENCE)


def tree() -> list[str]:
    """The paths that the tree draws, folders with a slash at the end."""
    paths: list[str] = []
    stack: list[str] = []
    for line in TREE.splitlines():
        found = re.match(r"((?:│   |    |[├└]── )*)([\w.]+/?)", line)
        assert found, line
        stack[len(found[1]) // 4 :] = [found[2]]
        paths.append("".join(stack))
    return paths


class TestTheTree:
    def test_draws_what_exists(self) -> None:
        assert [path for path in tree() if not (ROOT / path).exists()] == []

    def test_shows_every_room(self) -> None:
        rooms = {f"src/{room.name}/" for room in (ROOT / "src").iterdir() if room.is_dir()} - {"src/__pycache__/"}
        assert rooms <= set(tree())


class TestTheReference:
    def test_is_what_the_code_has(self) -> None:
        assert reference.outdated() == [], "Run python -m scripts.reference."

    @pytest.mark.process
    def test_keeps_these_redis_keys_and_no_others(self, site: httpx.Client, environment: dict[str, str]) -> None:
        form = {"username": "admin", "password": "123456"}
        token = site.post("/api/v1/auth/login/swagger", data=form).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        site.get("/api/v1/router/backend", headers=headers).raise_for_status()
        body = {"name": "Key", "codes": ["GET:/api/v1/notices"]}
        key = site.post("/api/v1/api-keys", json=body, headers=headers).json()["data"]["key"]
        site.get("/api/v1/notices", headers={"Authorization": f"Bearer {key}"}).raise_for_status()
        with Redis.from_url(environment["REDIS_DATABASE_URL"], decode_responses=True) as redis:
            kept = {str(key) for key in redis.scan_iter("auth:*")}
        patterns = {key: re.compile(re.sub(r"<\w+>", "[^:{}]+", re.escape(key))) for key in KEYS}
        assert {key for key in kept if not any(pattern.fullmatch(key) for pattern in patterns.values())} == set()
        unused = {key for key, pattern in patterns.items() if not any(map(pattern.fullmatch, kept))}
        of_providers = {key for key in KEYS if key.startswith("auth:oidc:")}  # of which there are none here
        # Those of the encrypted login, of `DEVICES_ENABLED`, and of second factors.
        of_others = {"auth:challenge:<signature>", "auth:devices:{login}:<username>", "auth:ticket:<name>"}
        assert unused - of_providers <= of_others


class TestTheLinks:
    def test_lead_to_files_and_headings_that_exist(self) -> None:
        links = [(page, link) for page in PAGES for link in re.findall(r"\]\((?!http)([^)]+)\)", page.read_text())]
        for page, link in links:
            name, _, anchor = link.partition("#")
            file = page.parent / name if name else page
            assert file.exists(), (page, link)
            assert not anchor or anchor in anchors(file), (page, link)


@cache
def anchors(page: Path) -> set[str]:
    """The fragments that lead to a page's headings."""
    headings = re.findall(r"^#+ (.+)", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).replace(" ", "-").lower() for heading in headings}


class TestTheTranslations:
    def test_are_not_older_than_their_originals_and_have_the_same_code(self) -> None:
        assert translations.problems() == []


class TestTheDecisions:
    def test_are_numbered_without_a_gap(self) -> None:
        numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs/adr").glob("[0-9]*.md"))
        assert numbers == list(range(1, len(numbers) + 1))

    def test_have_context_decision_and_consequences(self) -> None:
        for path in (ROOT / "docs/adr").glob("[0-9]*.md"):
            title, *sections = re.findall(r"^#+ (.+)", path.read_text(), re.MULTILINE)
            assert title.startswith(f"{int(path.name[:4])}. "), path
            assert sections == ["Context", "Decision", "Consequences"], path

    def test_are_listed(self) -> None:
        index = (ROOT / "docs/adr/README.md").read_text()
        for path in (ROOT / "docs/adr").glob("[0-9]*.md"):
            title = path.read_text().splitlines()[0].removeprefix("# ")
            assert f"- [{title}]({path.name})" in index
