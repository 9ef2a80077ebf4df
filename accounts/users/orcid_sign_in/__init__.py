"""Sign-in with an ORCID iD, at orcid.org or its sandbox; installed where its keys are set.

allauth's own provider knows neither the sandbox's address nor which addresses ORCID verified.
"""
