"""Protocol P3 as a benchmark: pieces cleaned and scored, the page, its figures."""
