"""The documentation site, served at /docs/ from the portal's own origin."""
