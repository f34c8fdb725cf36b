"""Commands of the laboratory: downloads, benchmarks and their training runs."""
