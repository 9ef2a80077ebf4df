"""How dates and times are written where a template or the admin names no format."""
