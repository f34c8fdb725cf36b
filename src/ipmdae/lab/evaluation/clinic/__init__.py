"""Protocol clinic as a benchmark: segments denoised and scored, the page, its figures."""
