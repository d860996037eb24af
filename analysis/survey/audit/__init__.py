"""Checks of figures that somebody printed: is what stands there possible, and what would reconcile it?"""
