"""The audit trail: events, request context, append-only triggers, Merkle log, public pages."""
