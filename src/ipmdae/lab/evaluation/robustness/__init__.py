"""Protocol robustness: segments modified, denoised and scored, and the page."""
