"""Model cards as safe HTML, rendered in a sandboxed child process.

Hostile Markdown can take minutes to parse, so a card that exceeds the limits is shown as text.
"""

#: Part of the cache key: increase it with every change to the HTML of cards.
VERSION = 1
