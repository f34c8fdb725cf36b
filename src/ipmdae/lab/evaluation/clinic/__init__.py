"""Protocol clinic as a benchmark: segments cleaned and scored, the page, its figures."""
