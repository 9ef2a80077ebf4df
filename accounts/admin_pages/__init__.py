"""Parts of admin pages: read-only pages, confirmation pages, re-authenticated saves."""
