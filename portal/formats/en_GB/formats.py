"""Dates with the month as a word, and 24-hour times with the zone, which is always UTC."""

DATE_FORMAT = "j M Y"
TIME_FORMAT = r"H:i \U\T\C"
DATETIME_FORMAT = r"j M Y, H:i \U\T\C"
SHORT_DATE_FORMAT = DATE_FORMAT
SHORT_DATETIME_FORMAT = DATETIME_FORMAT
