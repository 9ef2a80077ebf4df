"""Sphinx's configuration of the documentation site; docs/site/build.py prepares its sources."""

project = "Weighbridge"
html_title = "Weighbridge documentation"
extensions = ["myst_parser"]
root_doc = "index"
templates_path = ["templates"]
smartquotes = False  # options begin with two hyphens
language = "en"

# The slugs by which GitHub links to headings.
myst_heading_anchors = 4
suppress_warnings = ["myst.header", "misc.highlighting_failure"]

html_theme = "furo"
html_static_path = ["theme"]
html_css_files = ["site.css"]
html_show_sourcelink = html_copy_source = False
html_show_sphinx = html_show_copyright = False
html_sidebars = {
    "**": [
        *("sidebar/brand.html", "back.html", "sidebar/search.html", "sidebar/scroll-start.html"),
        *("sidebar/navigation.html", "sidebar/scroll-end.html"),
    ]
}
highlight_language = "none"
pygments_style, pygments_dark_style = "a11y-light", "a11y-dark"
