"""Paths, errors, table schemas, the results store and provenance. Knows nothing of the subject."""
