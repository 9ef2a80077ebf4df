"""The reviewers' desk in the admin: the queue of applications and the review page.

`admin.py` has the views, `change_list.py` the queue, `review_page.py` the context of the page,
`actions.py` its buttons, `access.py` the rights that decide which buttons are offered, `preview.py`
the mails of a verdict, `batch.py` actions on several applications, `export.py` the CSV file.
"""

from accounts.review.desk.admin import ApplicationAdmin

__all__ = ["ApplicationAdmin"]
