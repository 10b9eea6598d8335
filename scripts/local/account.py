"""Who runs PostgreSQL, which refuses root, and where that user can reach it."""

import os
import pwd
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from scripts.local.errors import LocalError
from src import NAME

OUTSIDE = Path("/var/lib") / NAME.lower()
"""Root's place for what an unprivileged user cannot reach inside a closed clone, such as one below /root."""


@dataclass(frozen=True)
class Account:
    """An unprivileged user."""

    uid: int
    gid: int

    def reaches(self, path: Path) -> bool:
        """Whether it may pass all directories above an absolute path."""
        return all(self._may_pass(parent) for parent in path.parents)

    def _may_pass(self, directory: Path) -> bool:
        status = directory.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & 0o100)
        return bool(status.st_mode & (0o010 if status.st_gid == self.gid else 0o001))

    def own(self, path: Path) -> None:
        """Give it a file, or a directory with all that is in it."""
        for item in (path, *path.rglob("*")):
            os.chown(item, self.uid, self.gid, follow_symlinks=False)


def unprivileged_account() -> Account | None:
    """Nobody when we are root, None when we are an ordinary user already."""
    if os.geteuid() != 0:
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError as error:
        raise LocalError("PostgreSQL refuses to run as root, and there is no user 'nobody' to run it as.") from error
    return Account(nobody.pw_uid, nobody.pw_gid)


def make_home(directory: Path, account: Account | None) -> Path:
    """A directory that the account (None: we) owns and reaches: this one, or one outside that it then links to."""
    if not directory.exists():
        directory.unlink(missing_ok=True)  # a link to a place that was removed
        if account is None or account.reaches(directory):
            directory.mkdir(mode=0o700)
        else:
            OUTSIDE.mkdir(mode=0o711, parents=True, exist_ok=True)
            directory.symlink_to(tempfile.mkdtemp(dir=OUTSIDE))
    home = directory.resolve()
    if account:
        if not account.reaches(home):
            raise LocalError(f"{home} is below a directory that only root may enter; move it to where others may pass.")
        os.chown(home, account.uid, account.gid)
    return home


def copy_for(account: Account, sources: list[Path], target: Path) -> None:
    """Copy directories of programs into one that the account can reach; an existing target is kept."""
    if target.exists():
        return
    incomplete = target.with_suffix(".incomplete")
    shutil.rmtree(incomplete, ignore_errors=True)
    for source in sources:
        shutil.copytree(source, incomplete / source.name, ignore=shutil.ignore_patterns("include", "doc"))
    account.own(incomplete)
    incomplete.rename(target)
