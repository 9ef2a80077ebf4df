"""Encryption of secrets at rest: second factors, links in queued mails, session contents."""
