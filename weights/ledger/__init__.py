"""The download ledger: one row for each answer with bytes and each refusal of a known caller."""
