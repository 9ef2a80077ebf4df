"""Fill a new install with five months of invented data, to show a portal in use."""
