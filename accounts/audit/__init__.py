"""The audit trail: events, request context, append-only triggers, public pages."""
