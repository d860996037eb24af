"""Readers of bibliographic exports, one a source; each gives drafts of records and says what it could not read."""
