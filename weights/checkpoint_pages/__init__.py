"""The header and the tabs that all pages of a checkpoint share: Card, Files, Versions, Issues."""
