"""Inspection of recordings: measures per second, spectra, heart rate, whole files."""
