"""Networks as C99 for microcontrollers: one header and one source, without dependencies."""

from ipmdae.embedded.constants import rounded
from ipmdae.embedded.export import LATENCY, Exported, file_names, framing_of, write_c

__all__ = ["LATENCY", "Exported", "file_names", "framing_of", "rounded", "write_c"]
