"""Run the notebooks of the documentation, and store them with their outputs.

Usage: python -m tools.run_notebooks
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"


def main() -> None:
    """Run each notebook in an empty folder; an error in one leaves its file as it was."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call, unused-ignore]
        with TemporaryDirectory() as folder:
            resources = {"metadata": {"path": folder}}
            NotebookClient(
                notebook, timeout=600, kernel_name="python3", resources=resources
            ).execute()
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)  # times of the run
        nbformat.write(notebook, path)  # type: ignore[no-untyped-call, unused-ignore]
        print(path.name)


if __name__ == "__main__":
    main()
