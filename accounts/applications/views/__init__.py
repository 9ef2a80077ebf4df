"""The pages of an applicant: start, form, review, documents, application, list."""
