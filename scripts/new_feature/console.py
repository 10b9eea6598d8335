"""The console's page of a feature: one file, its line in the menu, and its title in the translations."""

import json
import re
from pathlib import Path
from string import Template

from scripts.new_feature.noun import Noun

APP = "src/console/app/src"
MENU = f"{APP}/menu.ts"
TRANSLATIONS = f"{APP}/zh.ts"
TEMPLATE = Path(__file__).parent / "page.vue"

# Each line of a feature, and the line that it is inserted before.
ENTRY = (
    '  { path: "$path", title: "$Titles", group: "Content", needs: "GET:/api/v1/$path",'
    ' one: "GET:/api/v1/$path/{${camel}Id}", page: "$Nouns" },\n',
    '  { path: "users",',
)
TITLE = '  "$Titles": $chinese,\n', "};\n"


def page_of(noun: Noun) -> str:
    """The path of the page."""
    return f"{APP}/pages/{_spellings(noun)['Nouns']}.vue"


def add_page(root: Path, noun: Noun, chinese: str = "") -> dict[str, str]:
    """The text of the page, and of the files that name it, by path; without a Chinese title it has the English one."""
    menu, translations = (root / MENU).read_text(), (root / TRANSLATIONS).read_text()
    line, before = ENTRY
    menu = menu.replace(before, _fill(line, noun) + before, 1)
    line, before = TITLE
    title = json.dumps(chinese or _spellings(noun)["Titles"], ensure_ascii=False)
    translations = translations.removesuffix(before) + _fill(line, noun, chinese=title) + before
    return {page_of(noun): _fill(TEMPLATE.read_text(), noun), MENU: menu, TRANSLATIONS: translations}


def without_page(root: Path, noun: Noun) -> dict[str, str]:
    """The text of the files that name the page, without it, by path: whatever its title or translation is by now."""
    words = _spellings(noun)
    line = rf'^  \{{.* page: "{words["Nouns"]}" \}},\n'
    entry = rf'"{words["Titles"]}": "(?:[^"\\]|\\.)*",'
    title = rf"^  {entry}\n| {entry}$|{entry} ?"
    return {
        path: re.sub(pattern, "", (root / path).read_text(), count=1, flags=re.MULTILINE)
        for path, pattern in ((MENU, line), (TRANSLATIONS, title))
    }


def _fill(text: str, noun: Noun, **more: str) -> str:
    return Template(text).substitute(_spellings(noun), **more)


def _spellings(noun: Noun) -> dict[str, str]:
    plural = noun.plural.replace("_", " ")
    return {**noun.spellings(), "Nouns": plural.title().replace(" ", ""), "Titles": plural.capitalize()}
