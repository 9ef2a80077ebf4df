"""Uploads of large files by the Hub's clients (git LFS), until a commit names them."""
