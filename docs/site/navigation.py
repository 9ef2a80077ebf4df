"""The pages of the site in their order, by the four kinds of Diátaxis."""

#: Caption -> the pages below it, by their names in the site.
NAVIGATION = {
    "Tutorials": [
        *("tutorials/researcher", "tutorials/release-owner", "tutorials/reviewer"),
        *("tutorials/operator", "tutorials/script-author", "tutorials/auditor"),
    ],
    "How-to guides": [
        *("readme", "installing", "applying", "clients", "troubleshooting", "publishing"),
        *("reviewing", "operating", "one-server", "containers", "kubernetes", "upgrading"),
        *("monitoring", "many-nodes", "contributing"),
    ],
    "Reference": [
        *("reference/settings", "reference/commands", "reference/api", "reference/codes"),
        *("reference/metrics", "api", "audit", "requirements", "glossary", "changelog", "licence"),
    ],
    "Explanation": [
        "architecture",
        "security",
        "privacy",
        "scaling",
        "benchmarks",
        "decisions/index",
    ],
}


def contents(pages: set[str]) -> str:
    """The navigation as MyST; unlisted pages come last, so that each can be reached."""
    listed = {name for names in NAVIGATION.values() for name in names}
    loose = sorted(pages - listed - {"index"} - {name for name in pages if "decisions/" in name})
    groups = NAVIGATION | ({"More": loose} if loose else {})
    return "".join(
        "\n```{toctree}\n:hidden:\n:caption: "
        + caption
        + "\n\n"
        + "".join(f"{name}\n" for name in names if name in pages)
        + "```\n"
        for caption, names in groups.items()
    )
