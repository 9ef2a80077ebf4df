"""Stores blobs as objects in an S3 bucket; the only package that imports boto3."""

from weights.storage.s3.parts import S3Parts
from weights.storage.s3.store import S3Storage

__all__ = ["S3Parts", "S3Storage"]
