"""From an ECG to its image."""
