"""Protocol deepfilter as a benchmark: beats cleaned and scored, the page, its figures."""
