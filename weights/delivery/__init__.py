"""Delivery: responses with bytes or redirects, signed links, and download plans."""
