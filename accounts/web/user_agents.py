"""Readable names of browsers from User-Agent headers. Plain Python, no models."""

import re

#: Product in the header -> browser. The first match counts: Edge also claims to be Chrome.
_BROWSERS = {
    "Edg": "Edge",
    "OPR": "Opera",
    "SamsungBrowser": "Samsung Internet",
    "Firefox": "Firefox",
    "FxiOS": "Firefox",
    "Chromium": "Chromium",
    "CriOS": "Chrome",
    "HeadlessChrome": "Chrome",
    "Chrome": "Chrome",
    "Safari": "Safari",
    "curl": "curl",
}
_SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "CrOS": "ChromeOS",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}


def browser_name(user_agent: str) -> str:
    """Return the browser and system, such as `Firefox on Linux`."""
    browser = _first(_BROWSERS, user_agent, after="/") or "Unknown browser"
    system = _first(_SYSTEMS, user_agent)
    return f"{browser} on {system}" if system else browser


def _first(names: dict[str, str], text: str, after: str = "") -> str:
    matches = (name for word, name in names.items() if re.search(rf"\b{word}{after}", text))
    return next(matches, "")
