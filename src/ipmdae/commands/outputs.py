"""Paths of the results, checked before any work is done: planning of a batch, single files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from ipmdae import stores
from ipmdae.commands.inputs import Input, Inputs, find
from ipmdae.commands.job import Job
from ipmdae.commands.peaks import peaks_of
from ipmdae.formats import FORMATS, files_of, wfdb_annotations


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Options of the command line; see ``ipmdae denoise --help``.

    Attributes:
        output: the result, or the folder of the results.
        is_folder: True if the user means a folder, even if it does not exist.
        to: name of the format.
        report, figure, summary: further files.
        peaks: True to write R peaks next to each result.
        overwrite, resume: treatment of existing results.
    """

    output: Path
    is_folder: bool = False
    to: str | None = None
    report: Path | None = None
    figure: Path | None = None
    summary: Path | None = None
    peaks: bool = False
    overwrite: bool = False
    resume: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Planned work.

    Attributes:
        jobs: one per recording.
        sources: files of all recordings.
        unknown: number of files in folders that are not recordings.
        summary: table of all recordings, if requested.
        index: page with links to all reports, if there are several.
    """

    jobs: list[Job]
    sources: set[Path]
    unknown: int
    summary: Path | None
    index: Path | None


def plan(texts: Sequence[str], options: OutputOptions) -> Plan:
    """Plan the denoising of the recordings named by the user.

    Raises:
        ValueError: results would overwrite their sources or each other, or options conflict.
        FileExistsError: results exist, and neither ``overwrite`` nor ``resume`` is set.
        OSError: no recordings were found, or the results folder is not a folder.
    """
    _check_stores(options)
    if options.report and options.report.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{options.report} is not a page: use the suffix .html for --report")
    check_place(options.output)
    inputs = find(texts, options.output)
    suffix = None if options.to is None else suffix_of(options.to)
    targets = _targets(inputs, options, suffix)
    pages = _pages(inputs, options.report)
    sources = {file.resolve() for input in inputs.found for file in files_of(input.source)}
    parts = [files_of(target) for target in targets]
    _check_targets(inputs.found, targets, parts, sources)
    written = [*chain(*parts)]
    peaks = _peaks(targets) if options.peaks else [None] * len(targets)
    index = options.report if inputs.several else None
    further = (*peaks, *pages, index, options.figure, options.summary)
    others = [file for file in further if file is not None]
    _check_others(sources, written, others)
    check_new([*written, *others], options.overwrite or options.resume)
    if options.figure:
        if inputs.several:
            raise ValueError("--figure draws one recording; use --report for several")
        check_picture(options.figure, overwrite=True)  # of existing ones, see above
    jobs = [
        Job(
            source=input.source,
            name=input.name,
            target=target,
            page=page,
            figure=options.figure,
            peaks=beside,
            weight=max(input.size, 1),
        )
        for input, target, page, beside in zip(inputs.found, targets, pages, peaks, strict=True)
    ]
    return Plan(
        jobs=jobs,
        sources=sources,
        unknown=inputs.unknown,
        summary=options.summary,
        index=index,
    )


def suffix_of(name: str) -> str:
    """Suffix of the format that a user names: ``"edf"``, ``".csv"`` or ``"wfdb"``.

    Raises:
        ValueError: no format that can be written has this name.
    """
    suffixes = {
        suffix.removeprefix(".") or format.NAME.lower(): suffix
        for format in FORMATS
        if hasattr(format, "write")
        for suffix in format.SUFFIXES
        if suffix not in (".hea", ".dat")
    }
    wanted = name.lower().removeprefix(".")
    if wanted not in suffixes:
        raise ValueError(f"cannot write {name!r}; there are: {', '.join(suffixes)}")
    return suffixes[wanted]


def _check_stores(options: OutputOptions) -> None:
    """Check that results at URLs can be written.

    Raises:
        ValueError: nothing is written to URLs of this kind.
    """
    if options.summary is not None and stores.url_of(options.summary) is not None:
        raise ValueError("--summary is written on this machine: name a file, not a URL")
    for path in (options.output, options.report, options.figure):
        if path is not None and stores.url_of(path) is not None and not stores.in_store(path):
            raise ValueError(f"{stores.name_of(path)} is not a place to write to; name a file")


def _targets(inputs: Inputs, options: OutputOptions, suffix: str | None) -> list[Path]:
    """Paths of the results, in the order of the recordings."""
    output = options.output
    if inputs.several and output.exists() and not output.is_dir():
        raise NotADirectoryError(f"{output} is a file: several recordings need a folder")
    named = _format_of(output.name)
    if inputs.several and named and not options.is_folder and not output.is_dir():
        raise ValueError(
            f"-o {output} names one file ({named}), but there may be several recordings: name a "
            f"folder, such as -o {output.with_suffix('')}, and the format by --to"
        )
    if inputs.several or options.is_folder or output.is_dir():
        return [
            output / _named(input.place, input.suffix if suffix is None else suffix)
            for input in inputs.found
        ]
    asked = _format_of(output.name)
    if suffix is None or (asked and asked == _format_of(f"x{suffix or '.hea'}")):
        return [output]
    if asked:
        raise ValueError(
            f"-o {output} asks for {asked}, --to for {options.to}: use only one of them"
        )
    return [_named(output, suffix)]


def _format_of(name: str) -> str:
    """Format that a file's suffix asks for, by name; empty if none."""
    ends = ((end, format.NAME) for format in FORMATS for end in format.SUFFIXES if end)
    return next((format for end, format in ends if name.lower().endswith(end)), "")


def _pages(inputs: Inputs, report: Path | None) -> list[Path | None]:
    """Paths of the reports: the requested one or, for several recordings, a folder next to it."""
    if report is None:
        return [None] * len(inputs.found)
    if not inputs.several:
        return [report]
    folder = report.with_name(f"{report.stem}-pages")
    return [folder / _named(input.place, f"{input.suffix}.html") for input in inputs.found]


def _peaks(targets: Sequence[Path]) -> list[Path | None]:
    """Paths of the R peaks of each result.

    Raises:
        ValueError: two results would have the same.
    """
    owners: dict[Path, Path] = {}
    for target in targets:
        other = owners.setdefault(peaks_of(target), target)
        if other is not target:
            raise ValueError(
                f"the R peaks of {other} and {target} would both be written to "
                f"{peaks_of(target)}: denoise them separately"
            )
    return list(owners)


def _named(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _check_targets(
    found: Sequence[Input],
    targets: Sequence[Path],
    parts: Sequence[Sequence[Path]],
    sources: set[Path],
) -> None:
    """Check that no result, of several files each, would replace a recording or another result."""
    owners: dict[Path, Path] = {}
    for input, target, files in zip(found, targets, parts, strict=True):
        for file in files:
            if file.resolve() in sources:
                raise ValueError(f"{target} is the recording itself: choose another name for -o")
        other = owners.setdefault(target.resolve(), input.source)
        if other is not input.source:
            raise ValueError(
                f"{other} and {input.source} would both be written to {target}: "
                "denoise them separately"
            )


def _check_others(sources: set[Path], results: Sequence[Path], others: Sequence[Path]) -> None:
    """Check that no further file would replace a recording, a result or another further file."""
    taken = sources | {file.resolve() for file in results}
    for file in others:
        if file.resolve() in taken:
            raise ValueError(
                f"{file} is the name of a recording, or requested twice: choose another"
            )
        taken.add(file.resolve())


def check_place(path: Path) -> None:
    """Check that a path is not a device or pipe."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise FileExistsError(
            f"{path} is not a regular file: name a file or a folder, or - for CSV to stdout"
        )


def check_new(files: Sequence[Path], replace: bool) -> None:
    """Check that no result exists that may not be replaced, nor annotations beside a WFDB header.

    Annotations of the same name would be replaced, others be read as those of the result.
    """
    headers = [file for file in files if file.suffix == ".hea" and not stores.in_store(file)]
    files = [*dict.fromkeys([*files, *chain(*map(wfdb_annotations.files, headers))])]
    stored = stores.existing(file for file in files if stores.in_store(file))
    there = [file for file in files if file in stored or file.exists()]
    folders = [file for file in there if file.is_dir()]
    if folders:
        raise IsADirectoryError(f"{folders[0]} is a folder: choose another name")
    if there and not replace:
        others = f" (and {len(there) - 1} more)" if len(there) > 1 else ""
        raise FileExistsError(
            f"{stores.name_of(there[0])} exists{others}: choose another name, add --overwrite to "
            "replace, or --resume to keep existing results"
        )


def check_picture(target: Path, overwrite: bool) -> None:
    """Check that a picture can and may be written."""
    if target.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise ValueError(f"{target} is not a picture: use the suffix .png, .svg or .pdf")
    check_free([target], overwrite)


def check_free(files: Sequence[Path], overwrite: bool, source: Path | None = None) -> None:
    """Check that no file exists, or with ``overwrite`` that none is ``source``."""
    for path in files:
        own = source is not None and path.exists() and path.samefile(source)
        if path.exists() and (own or not overwrite):
            raise FileExistsError(f"{path} exists: choose another name, or add --overwrite")
