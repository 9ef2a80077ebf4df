"""Middleware: request log, policy headers, refusals, rate limits, the fast path."""
