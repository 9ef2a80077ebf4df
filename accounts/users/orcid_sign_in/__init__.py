"""allauth provider for sign-in with an ORCID iD; installed if its keys are set.

Unlike allauth's own provider, it supports the sandbox and reads which addresses ORCID verified.
"""
