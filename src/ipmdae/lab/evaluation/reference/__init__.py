"""Protocol reference as a benchmark: windows cleaned and scored, and the page."""
