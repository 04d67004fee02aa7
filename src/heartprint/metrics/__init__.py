"""Numbers about scores: pure NumPy, no ECGs, no torch."""
