from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Who: people, tiers, licences, applications, grants, tokens, the audit trail."""

    name = "accounts"
    verbose_name = "People and access"
