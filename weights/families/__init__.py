"""Families of checkpoints in the admin: create, change, order, retire."""
