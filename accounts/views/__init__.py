"""The pages of who may have what: thin doors to the records and to `applications`."""
