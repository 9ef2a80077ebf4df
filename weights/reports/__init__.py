"""Reports from the public: submission, triage, and the statements published on them."""
