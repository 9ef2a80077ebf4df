"""Every step of an application: submission, claims, decisions, conversation."""
