"""What a browser is called by the person in front of it: plain Python, no records."""

import re

#: Which word of a User-Agent tells the browser; the later ones are claimed by the earlier too.
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


def name(user_agent: str) -> str:
    """`Firefox on Linux`; a header that tells neither is an unknown browser."""
    browser = _first(_BROWSERS, user_agent, after="/") or "Unknown browser"
    system = _first(_SYSTEMS, user_agent)
    return f"{browser} on {system}" if system else browser


def _first(words: dict[str, str], text: str, after: str = "") -> str:
    found = (told for word, told in words.items() if re.search(rf"\b{word}{after}", text))
    return next(found, "")
