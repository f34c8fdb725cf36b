"""What is in a recording: measures of each second, spectra, heart rate, a file from end to end."""
