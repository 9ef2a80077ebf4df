"""Helpers of views: object look-up, HTTP headers, strict JSON, charts."""
