"""Pages about what cleaning did to a recording; each is one file that needs no other."""

from ipmdae.report.index import Entry, write_index
from ipmdae.report.page import write_figure, write_page
from ipmdae.report.subject import ReportInput

__all__ = ["Entry", "ReportInput", "write_figure", "write_index", "write_page"]
