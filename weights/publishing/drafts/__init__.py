"""Drafts: commits that only the owners of a checkpoint see until one of them publishes them."""
