"""The tamper-evident trail: rows are the leaves of one Merkle tree (docs/audit.md).

`sealer` appends leaves, `verification` rereads everything, `heads` signs the root and `proofs`
builds inclusion and consistency proofs. `logs.LOGS` lists the sealed tables.
"""
