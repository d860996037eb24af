"""The systematic and grey literature review."""
