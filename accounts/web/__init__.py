"""Helpers of views: error pages, uploads, Markdown, text differences."""
