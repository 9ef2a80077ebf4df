"""Registers the admin pages of every capability; Django imports this module."""

import accounts.api_tokens.admin
import accounts.audit.admin
import accounts.change_requests.admin
import accounts.grants.admin
import accounts.mail.admin
import accounts.review.desk
import accounts.review.reasons_admin
import accounts.tiers.admin
import accounts.users.admin  # noqa: F401
