"""The health page: what waits too long or stands still."""
