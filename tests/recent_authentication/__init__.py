"""Acts that require a recent authentication, on every route."""
