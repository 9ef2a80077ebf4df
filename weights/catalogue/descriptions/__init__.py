"""The form of a checkpoint's facts in the admin, and the preview of its title and card."""
