"""Scripts that the portal serves for download. No module may import them."""
