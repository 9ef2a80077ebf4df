"""The tamper-evident trail: rows are the leaves of one Merkle tree (docs/audit.md).

`sealer` appends leaves, `verification` rereads everything, `signed_heads` signs the root, `proofs`
builds inclusion and consistency proofs, and `sealed_tables.LOGS` lists the sealed tables.
"""
