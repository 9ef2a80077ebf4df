"""Shared parts of admin pages: read-only pages, confirmation pages, reasons, related records."""
