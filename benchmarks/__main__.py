"""The command: ``python -m benchmarks [PART ...]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import page, store
from benchmarks.machine import describe
from benchmarks.part import Settings, UnavailableError
from benchmarks.parts import BY_DEFAULT, PARTS
from benchmarks.process import isolated
from ipmdae.native import processors
from ipmdae.termination import script


def main(arguments: list[str] | None = None) -> int:
    """Measure parts, store what they measured, and write the page; the exit code."""
    args = _parser().parse_args(arguments)
    results = args.results or Path("results", "performance-quick" if args.quick else "performance")
    output = args.output or (
        results / "performance.md" if args.quick else Path("docs", "results", "performance.md")
    )
    settings = Settings(threads=args.threads, quick=args.quick, long=args.long)
    failed = []
    for name in [] if args.report else args.parts or BY_DEFAULT:
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            machine = describe()
            measured = isolated(PARTS[name].measure, settings, threads=settings.threads)
            store.save(results, name, settings, machine, measured)
        except UnavailableError as error:
            print(f"{name}: not measured: {error}", file=sys.stderr)
        except Exception as error:  # the other parts can still be measured
            failed.append(name)
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
    try:
        page.write(store.load_all(results), output)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"written to {output}")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure speed, memory and size side by side, and write a page about it. What "
        "was measured is stored, so that a part can be measured again alone.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("parts", nargs="*", type=_part, metavar="PART", help=f"of: {', '.join(PARTS)}")
    add("--output", type=Path, metavar="FILE", help="the page")
    add("--results", type=Path, metavar="FOLDER", help="where measurements are stored")
    add("--threads", type=int, default=processors(), help="threads for everything")
    add("--quick", action="store_true", help="tiny sizes, to try whether everything runs")
    add("--long", action="store_true", help="clean a recording and a live signal of a week, too")
    add("--report", action="store_true", help="measure nothing, write the page again")
    return parser


def _part(name: str) -> str:
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"no part {name!r}; there are: {', '.join(PARTS)}")
    return name


if __name__ == "__main__":
    with script():
        sys.exit(main())
