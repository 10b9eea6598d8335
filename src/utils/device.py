"""Names of devices, by their User-Agent: what a person needs to recognise one of their own."""

import re

# The first that matches: browsers name those that they descend from, too.
_PROGRAMS = (
    (r"\bEdg(?:e|A|iOS)?/", "Edge"),
    (r"\bOPR/|\bOpera\b", "Opera"),
    (r"\bSamsungBrowser/", "Samsung Internet"),
    (r"\bVivaldi/", "Vivaldi"),
    (r"\bYaBrowser/", "Yandex Browser"),
    (r"\bMicroMessenger/", "WeChat"),
    (r"\bHeadlessChrome/", "Headless Chrome"),
    (r"\bFxiOS/|\bFirefox/", "Firefox"),
    (r"\bCriOS/|\bChrom(?:e|ium)/", "Chrome"),
    (r"\bVersion/\S+ (?:Mobile/\S+ )?Safari/", "Safari"),
)
_SYSTEMS = (
    (r"\biPhone\b", "iPhone"),
    (r"\biPad\b", "iPad"),
    (r"\bHarmonyOS\b|\bOpenHarmony\b", "HarmonyOS"),
    (r"\bAndroid\b", "Android"),
    (r"\bWindows\b", "Windows"),
    (r"\bMac OS X\b|\bMacintosh\b", "macOS"),
    (r"\bCrOS\b", "ChromeOS"),
    (r"\bLinux\b|\bX11\b", "Linux"),
)
# The first product of programs that are no browsers, such as `okhttp/4.12.0`.
_PRODUCT = re.compile(r"(?!Mozilla\b)([A-Za-z][\w.-]{0,31})(?:/|\s|$)")


def device_name(user_agent: str) -> str:
    """Program and system, such as `Firefox on Windows`; empty if neither is known. What the client says, not a fact."""
    program = _find(_PROGRAMS, user_agent)
    if not program and (product := _PRODUCT.match(user_agent)):
        program = product[1]
    return " on ".join(filter(None, (program, _find(_SYSTEMS, user_agent))))


def _find(rules: tuple[tuple[str, str], ...], user_agent: str) -> str:
    return next((name for pattern, name in rules if re.search(pattern, user_agent)), "")
