"""Acts that require a recent authentication, by every route."""
