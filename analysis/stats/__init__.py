"""Estimates with intervals, from arrays and counts; no files, no domain words."""
