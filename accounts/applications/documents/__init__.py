"""Documents of applications: upload, check, storage, download."""
