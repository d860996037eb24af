"""Figures from tables; one theme for all."""
