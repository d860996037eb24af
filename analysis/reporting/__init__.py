"""From executed notebooks and chapters to the thesis as PDF and HTML."""
