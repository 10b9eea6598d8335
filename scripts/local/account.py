"""The user that PostgreSQL runs as, since it refuses root, and a directory that this user can reach."""

import os
import pwd
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from scripts.local.errors import LocalError
from src import NAME

OUTSIDE = Path("/var/lib") / NAME.lower()
"""Where root keeps the database of a clone that other users cannot enter, such as one below /root."""


@dataclass(frozen=True)
class Account:
    """An unprivileged user."""

    uid: int
    gid: int

    def reaches(self, path: Path) -> bool:
        """Whether the user may enter all directories above an absolute path."""
        return all(self._may_pass(parent) for parent in path.parents)

    def _may_pass(self, directory: Path) -> bool:
        status = directory.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & 0o100)
        return bool(status.st_mode & (0o010 if status.st_gid == self.gid else 0o001))

    def own(self, path: Path) -> None:
        """Make the user the owner of a file, or of a directory and everything in it."""
        for item in (path, *path.rglob("*")):
            os.chown(item, self.uid, self.gid, follow_symlinks=False)


def unprivileged_account() -> Account | None:
    """The user `nobody` if the current user is root, else None."""
    if os.geteuid() != 0:
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError as error:
        raise LocalError("PostgreSQL refuses to run as root, and there is no user 'nobody' to run it as.") from error
    return Account(nobody.pw_uid, nobody.pw_gid)


def make_home(directory: Path, account: Account | None) -> Path:
    """Create a directory that the account (None: the current user) owns and can reach.

    It is `directory` itself, or a link to a directory below `OUTSIDE` where the account cannot reach that.
    """
    if not directory.exists():
        directory.unlink(missing_ok=True)  # a link to a directory that was removed
        if account is None or account.reaches(directory):
            directory.mkdir(mode=0o700)
        else:
            OUTSIDE.mkdir(mode=0o711, parents=True, exist_ok=True)
            directory.symlink_to(tempfile.mkdtemp(dir=OUTSIDE))
    home = directory.resolve()
    if account:
        if not account.reaches(home):
            raise LocalError(
                f"{home} is below a directory that only root may enter; move it where other users may enter."
            )
        os.chown(home, account.uid, account.gid)
    return home


def copy_for(account: Account, sources: list[Path], target: Path) -> None:
    """Copy directories of programs to a target that the account can reach; an existing target is kept."""
    if target.exists():
        return
    incomplete = target.with_suffix(".incomplete")
    shutil.rmtree(incomplete, ignore_errors=True)
    for source in sources:
        shutil.copytree(source, incomplete / source.name, ignore=shutil.ignore_patterns("include", "doc"))
    account.own(incomplete)
    incomplete.rename(target)
