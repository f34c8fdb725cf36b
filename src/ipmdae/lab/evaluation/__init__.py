"""How good a cleaned signal is: metrics, and networks tested on the pairs of a protocol."""
