"""Protocol P2 as a benchmark: beats cleaned and scored, the page, its figures."""
