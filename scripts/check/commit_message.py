"""Refuse a commit message that is not a conventional commit: `commit_message.py FILE`. See docs/GIT.md."""

import re
import sys
from pathlib import Path

TYPES = "build|chore|ci|docs|feat|fix|perf|refactor|revert|test"
FIRST_LINE = re.compile(rf"(?=.{{1,100}}$)(({TYPES})(\([\w.\-/]+\))?!?: \S.*[^.]|Merge .+|(fixup|squash|amend)! .+)")


def main(file: str) -> str | None:
    """Check git's message file; returns an error message for `sys.exit`, or None."""
    first = Path(file).read_text().partition("\n")[0]
    if FIRST_LINE.fullmatch(first):
        return None
    return f"{first!r} is no conventional commit such as 'fix(auth): refuse an empty kid'; see docs/GIT.md"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
