"""Protocol deepfilter as a benchmark: beats denoised and scored, the page, its figures."""
