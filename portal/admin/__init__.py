"""Django's admin: the site and its guards."""
