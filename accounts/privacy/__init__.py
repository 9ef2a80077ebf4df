"""Privacy: personal data export, erasure, retention."""
