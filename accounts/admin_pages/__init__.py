"""Building blocks of admin pages: read-only pages, confirmation pages, guarded saves."""
