"""The request path: policy headers, rate limits, the fast path, request log."""
