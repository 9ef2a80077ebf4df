"""Applications in the admin: the queue, the review page, and what its buttons do.

Each file is a door to the model's methods: `queue.py` lists, `page.py` shows one application,
`decisions.py` runs its buttons, `preview.py` composes the mail first, `batch.py` acts on many,
`export.py` writes the list as CSV. `site.py` registers them.
"""

from accounts.review.desk.admin import ApplicationAdmin

__all__ = ["ApplicationAdmin"]
