"""Copies a revision from another hub and publishes it here."""
