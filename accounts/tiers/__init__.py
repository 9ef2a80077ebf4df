"""Tiers: access modes, licences and their versions, terms of use, public history."""
