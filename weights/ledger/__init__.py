"""The download ledger: a row per response with bytes, and per refusal of a signed-in caller."""
