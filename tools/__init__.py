"""Commands for developers: data of the paper, releases, benchmark pages, checks."""
