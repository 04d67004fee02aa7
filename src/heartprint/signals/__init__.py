"""One ECG as numbers: leads and their names, beats, measurements, and whether they can be true."""
