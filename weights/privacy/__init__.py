"""The archive of everything that the portal stores about a person."""
