"""After which changes dev.sh restarts the processes."""

import pytest
from watchfiles import Change

from scripts.local.reload import SourceFilter


@pytest.mark.unit
@pytest.mark.parametrize(
    ("change", "path", "restarts"),
    [
        (Change.modified, "src/api/v1/notices.py", True),
        (Change.deleted, "src/api/v1/notices.py", True),
        (Change.added, "src/console/built/SOURCES", True),  # the last file of a build
        (Change.deleted, "src/console/built/SOURCES", False),  # a build has begun
        (Change.added, "src/console/built/index.html", False),
        (Change.modified, "src/console/app/src/menu.ts", False),
    ],
)
def test_processes_restart_for_what_they_load(change: Change, path: str, restarts: bool) -> None:
    assert SourceFilter()(change, path) is restarts
