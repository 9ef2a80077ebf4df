"""The trail that shows tampering: rows are leaves of one Merkle tree (docs/audit.md).

`sealer` appends, `checking` reads everything again, `heads` signs what the tree is, `proofs`
shows that a row is in it. A log is added to `logs.LOGS`.
"""
