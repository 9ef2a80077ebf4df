"""The Hub's write routes (docs/clients.md#publishing-with-hf-upload).

Views translate HTTP to `weights.publishing.drafts` and `weights.uploads`, which hold the rules.
"""
