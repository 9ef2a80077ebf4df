"""Reports from the public: submission, triage, and the actions on them."""
