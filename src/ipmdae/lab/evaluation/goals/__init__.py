"""What the networks are to reach, and what stored results say of it; the page."""
