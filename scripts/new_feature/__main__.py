"""Write a feature, from its table to its tests, and register it, or remove it: ./scripts/new-feature.sh --help."""

import argparse
import ast
import sys
from pathlib import Path

from scripts.new_feature.console import TRANSLATIONS, add_page, page_of
from scripts.new_feature.noun import Noun, RefusedError, parse
from scripts.new_feature.registration import register
from scripts.new_feature.rendering import SNAPSHOTS, all_or_nothing, render, tidy
from scripts.new_feature.revision import next_revision

ROOT = Path(__file__).resolve().parents[2]


def write(noun: Noun, *, page: bool = False, chinese: str = "") -> tuple[list[str], list[str]]:
    """Write the feature, with a page of the console if asked; returns the new files and the changed ones.

    Args:
        noun: Its name.
        page: Whether it has a page.
        chinese: The Chinese title of the page.

    Raises:
        RefusedError: Something of that name exists; nothing was written.
    """
    made, changed = render(noun, next_revision(ROOT)), register(ROOT, noun)
    if page:
        changed |= add_page(ROOT, noun, chinese)
        made[page_of(noun)] = changed.pop(page_of(noun))
    # The migration last: its name has the minute in it, and says less than any other file of the feature.
    for path in sorted(made, key=lambda path: path.startswith("alembic/")):
        if (ROOT / path).exists():
            raise RefusedError(f"{path} exists already.")
    if model := _model_of(noun):
        name = noun.spellings()["Noun"]
        raise RefusedError(f"{name} or its table exists already, in {model.relative_to(ROOT)}.")
    with all_or_nothing(ROOT, [*made, *changed]):
        for path, text in {**made, **changed}.items():
            (ROOT / path).write_text(text)
        tidy(ROOT, [*made, *changed])
    return list(made), list(changed)


def _model_of(noun: Noun) -> Path | None:
    for file in (ROOT / "src/models").glob("*.py"):
        text = file.read_text()
        models = {node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}
        if noun.spellings()["Noun"] in models or f'__tablename__ = "{noun.plural}"' in text:
            return file
    return None


def main() -> str | None:
    """Do what the command line says; returns an error message for `sys.exit`, or None."""
    parser = argparse.ArgumentParser(prog="new-feature.sh", description="Write a feature, from its table to its tests.")
    parser.add_argument("name", help="its noun, in the singular: invoice, purchase_order")
    parser.add_argument("--plural", help="an irregular plural: --plural people")
    parser.add_argument("--page", action="store_true", help="with a page of the console, which takes Node to build")
    parser.add_argument("--title-zh", default="", help="the Chinese title of that page: --title-zh 发票")
    parser.add_argument("--remove", action="store_true", help="remove the feature, with its table and its data")
    arguments = parser.parse_args()
    try:
        noun = parse(arguments.name, arguments.plural)
        if arguments.remove:
            show_removal(noun)
        else:
            show_feature(noun, page=arguments.page, chinese=arguments.title_zh)
    except RefusedError as refusal:
        return f"{refusal} Nothing was changed." if arguments.remove else f"{refusal} Nothing was written."
    return None


def show_feature(noun: Noun, *, page: bool, chinese: str) -> None:
    """Write the feature, and print what was done."""
    made, changed = write(noun, page=page, chinese=chinese)
    print("Written:", *made, sep="\n  ")
    print("Changed:", *changed, *SNAPSHOTS, sep="\n  ")
    print("Next: add its own fields, see docs/new-feature.md; then run ./scripts/alembic/migrate.sh")
    if page and not chinese:
        print(f"      translate the title of its page in {TRANSLATIONS}")
    if page:
        print("      build its page with ./scripts/console.sh")


def show_removal(noun: Noun) -> None:
    """Remove the feature, and print what was done."""
    from scripts.new_feature.removal import remove  # it reads the settings, which writing a feature does not need

    removal = remove(ROOT, noun)
    print("Deleted:", *removal.deleted, sep="\n  ")
    print("Changed:", *removal.changed, *SNAPSHOTS, sep="\n  ")
    if removal.written:
        print("Written:", *removal.written, sep="\n  ")
        print("Next: read the migration, then run ./scripts/alembic/migrate.sh")
        if removal.migration and removal.migration.later:
            done, missing = removal.migration.path, ", ".join(removal.migration.later)
            print(f"      it drops and makes the table of {done}: add what {missing} changed, before you run it")
    else:
        print(f"Removed from all roles: {', '.join(removal.codes)}.")


if __name__ == "__main__":
    sys.exit(main())
