"""Recordings of other kinds than those trained on: pieces changed, cleaned and scored; the page."""
