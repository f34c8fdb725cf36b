"""The table of formats in the README: ``python -m tools.write_formats``.

It is made of what ``ipmdae formats`` lists, and stands between two comments.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ipmdae.formats.inventory import markdown

README = Path(__file__).parents[1] / "README.md"
BEGIN = "<!-- formats: made by python -m tools.write_formats -->\n"
END = "<!-- end of formats -->\n"


def main(arguments: list[str] | None = None) -> None:
    argparse.ArgumentParser(
        prog="python -m tools.write_formats", description="Write the README's table of formats."
    ).parse_args(arguments)
    README.write_text(updated(README.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"written to {README}")


def updated(text: str) -> str:
    """A README with the table as it is now.

    Raises:
        ValueError: the comments around it are missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the comments around the table of formats are missing")
    return f"{before}{BEGIN}\n{markdown()}\n{END}{after}"


if __name__ == "__main__":
    main()
