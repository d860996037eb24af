"""Readers of survey exports, one a tool; each gives the mapped cells as text."""
