"""Table of formats in docs/howto/formats.md: ``python -m tools.write_formats``.

Generated from what ``ipmdae formats`` lists, and placed between two comments.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ipmdae.formats.inventory import markdown

PAGE = Path(__file__).parents[1] / "docs" / "howto" / "formats.md"
BEGIN = "<!-- formats: made by python -m tools.write_formats -->\n"
END = "<!-- end of formats -->\n"


def main(arguments: list[str] | None = None) -> None:
    argparse.ArgumentParser(
        prog="python -m tools.write_formats", description="Write the table of formats in the docs."
    ).parse_args(arguments)
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"written to {PAGE}")


def updated(text: str) -> str:
    """Page with the table of this version.

    Raises:
        ValueError: the comments around the table are missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the comments around the table of formats are missing")
    return f"{before}{BEGIN}\n{markdown()}\n{END}{after}"


if __name__ == "__main__":
    main()
