"""Build the web page: ``python -m tools.build_web``.

Writes the static site to ``web/dist``, for any host, and what of it the package lacks to
``src/ipmdae/_web``, from where ``ipmdae web`` serves it and wheels take it. Needs Node.js with npm,
and the package ``ziglang`` for the core in WebAssembly.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from ipmdae.commands.web_server import ELSEWHERE
from ipmdae.termination import script
from tools.build_wasm import build_wasm

ROOT = Path(__file__).resolve().parent.parent
WEB, PAGE = ROOT / "web", ROOT / "src" / "ipmdae" / "_web"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.build_web", description="Build the web page."
    )
    parser.parse_args(arguments)
    with script():
        build_web()
    for folder in (WEB / "dist", PAGE):
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        print(f"written to {folder} ({size / 1e6:.2f} MB)")


def build_web() -> None:
    """Build the site, and the copy in the package.

    Raises:
        FileNotFoundError: npm is not installed.
        ChildProcessError: npm failed.
        RuntimeError: the compiler of the core failed.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is not installed: install Node.js 20.19 or later")
    public, site = WEB / "public", WEB / "dist"
    build_wasm(public)
    for name, (package, pattern) in ELSEWHERE.items():
        (public / name).mkdir(exist_ok=True)
        for path in Path(package.__path__[0]).glob(pattern):
            shutil.copyfile(path, public / name / path.name)
    for command in (["ci"], ["run", "build"]):
        if subprocess.run([npm, *command], cwd=WEB, check=False).returncode:
            raise ChildProcessError(f"npm {' '.join(command)} failed in {WEB}")
    with TemporaryDirectory(dir=PAGE.parent) as aside:
        page = Path(aside, "page")
        shutil.copytree(site, page, ignore=shutil.ignore_patterns(*ELSEWHERE))
        shutil.rmtree(PAGE, ignore_errors=True)
        page.rename(PAGE)


if __name__ == "__main__":
    main()
