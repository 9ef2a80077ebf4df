"""Encryption of secrets at rest: second factors, links in queued mails, contents of sessions."""
