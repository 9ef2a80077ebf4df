"""Applications for access: state machine, workflow, form, documents, the applicant's pages."""
