"""Protocol P1 as a benchmark: windows cleaned and scored, and the page."""
