"""Model cards as safe HTML, rendered in a sandboxed child process.

Hostile Markdown can take minutes to parse, so a card that exceeds the limits is shown as text.
"""

#: Part of the key of cached cards: raise it with every change of the HTML of cards.
VERSION = 1
