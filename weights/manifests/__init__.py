"""A revision's list of files: judged, frozen as a document, signed, held against the bytes."""
