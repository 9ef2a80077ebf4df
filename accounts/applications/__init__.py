"""Applications for access: transition table, workflow, form, documents, the applicant's pages."""
