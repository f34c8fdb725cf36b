"""Search for the recordings that a command line names."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ipmdae import stores
from ipmdae.formats import FORMATS, Format, format_of, remote
from ipmdae.formats.table_text import members
from ipmdae.formats.wfdb_header import names_in

_WFDB = "WFDB"
_UNISENS = "unisens.xml"
_NOTES = (".txt", ".json", ".xml")
"""Suffixes of files that occur in folders for many other purposes."""

_MAGIC = ("*", "?", "[")


@dataclass(frozen=True, kw_only=True)
class Input:
    """A recording that was found.

    Attributes:
        source: path, or URL in a store, to read; a WFDB record without suffix.
        place: path of the result relative to the results folder, without suffix.
        suffix: suffix of its format, in which it is written by default.
        name: name in messages: the path, or the URL of which it is the local copy.
        stored: size in bytes of its files in a store.
    """

    source: Path
    place: Path
    suffix: str
    name: str = ""
    stored: int = 0

    @property
    def size(self) -> int:
        """Size of its files in bytes, an estimate of the work."""
        if self.stored:
            return self.stored
        files = self.source.parent.glob(f"{glob.escape(self.source.name)}.*")
        return sum(file.stat().st_size for file in (self.source, *files) if file.is_file())


@dataclass(kw_only=True)
class Inputs:
    """Result of the search.

    Attributes:
        found: the recordings.
        unknown: number of other files in the folders.
        several: True if the results must be written to a folder.
    """

    found: list[Input] = field(default_factory=list)
    unknown: int = 0
    several: bool = False


def _suffix(path: Path, format: Format) -> str:
    """Suffix by which a format recognises a name, such as ``".csv.gz"``; empty if none."""
    name = path.name.lower()
    return max((end for end in format.SUFFIXES if name.endswith(end)), key=len, default="")


def located(file: Path) -> tuple[str, Path]:
    """Name and local path of a file; a URL is fetched, and named without credentials.

    Raises:
        OSError, ValueError: as :func:`ipmdae.formats.remote.fetch`.
    """
    url = stores.url_of(file)
    return (str(file), file) if url is None else (stores.shown(url), remote.keep(url))


def find(texts: Sequence[str], results: Path | None = None) -> Inputs:
    """Find the recordings named by the user.

    Args:
        texts: files, URLs, which are fetched, folders, which are searched recursively, and
            patterns for files or folders, such as ``"data/**/*.edf"``. In folders, text, JSON and
            XML files count only if recognised by content. A WFDB record is found once. Stores
            (``"s3://bucket/ward"``) are listed, and nothing is fetched from them: formats are known
            by name, and text, JSON and XML files count only if a file or pattern names them.
        results: a folder of results, which is not searched.

    Raises:
        FileNotFoundError: a name does not exist, or no recording was found.
    """
    inputs = Inputs(several=len(texts) > 1)
    folders = sum(Path(text).is_dir() for text in texts)
    others: list[Path] = []
    for text in texts:
        if stores.in_store(text) and not text.lower().endswith(".zip"):
            _find_stored(Path(text), results, inputs)
            continue
        shown, path = located(Path(text))
        searched = True
        if not path.exists() and any(sign in text for sign in _MAGIC):
            found = _matches(text)
        elif path.is_dir():
            base = path.parent if folders > 1 else path
            found = ((file, base) for file in _walk(path, results))
        else:
            found, searched = iter([(path, path.parent)]), False
        inputs.several |= searched
        for file, base in _unpacked(found, inputs):
            in_folder = path.is_dir()
            is_note = in_folder and file.suffix.lower() in _NOTES
            # R peaks are written next to results.
            is_result = in_folder and file.name.lower().endswith(".rpeaks.csv")
            recording = None if is_result else _recording(file, base, by_content=is_note)
            if recording is None and not searched and not _is_part(file):
                recording = _input(file, base, written=file.suffix)
            if recording is not None:
                name = str(recording.source).replace(str(path), shown, 1)
                inputs.found.append(replace(recording, name=name))
            elif searched:
                others.append(file)
    _join_records(inputs, others)
    if not inputs.found:
        names = ", ".join(map(stores.name_of, texts))
        raise FileNotFoundError(f"{names}: no recording found")
    return inputs


def _find_stored(named: Path, results: Path | None, inputs: Inputs) -> None:
    """Find the recordings of a store at a URL: a folder, a pattern, a file or a WFDB record."""
    sizes = stores.files_below(named)
    if not sizes and not named.suffix:
        sizes = stores.files_below(f"{named}.*")
        searched = named.with_name(f"{named.name}.hea") not in sizes
    else:
        searched = named not in sizes
    is_pattern = any(sign in str(named) for sign in _MAGIC)
    base = _fixed(named) if is_pattern else named
    if not searched or (inputs.several and not is_pattern):
        base = named.parent
    inputs.several |= searched
    records = {file.with_suffix("") for file in sizes if file.suffix == ".hea"}
    found: dict[Path, Input] = {}
    for file, size in sizes.items():
        if searched and _is_left_out(file, base, results):
            continue
        recording = _stored(file, base, records, notes=is_pattern or not searched)
        if recording is None and not searched:
            recording = _input(file, base, written=file.suffix)
        if recording is None:
            inputs.unknown += 1
            continue
        others = found[recording.source].stored if recording.source in found else 0
        name = stores.name_of(recording.source)
        found[recording.source] = replace(recording, name=name, stored=size + others)
    inputs.found += found.values()


def _is_left_out(file: Path, base: Path, results: Path | None) -> bool:
    """True for a hidden file of a store, R peaks, and what is in a folder of results."""
    if any(part.startswith(".") for part in file.relative_to(base).parts):
        return True
    if file.name.lower().endswith(".rpeaks.csv"):
        return True
    return results is not None and results != base and file.is_relative_to(results)


def _stored(file: Path, base: Path, records: set[Path], notes: bool) -> Input | None:
    """Recording of a store that a file is by its name, or to which it belongs."""
    is_note = file.suffix.lower() in _NOTES and not notes
    suffix = "" if is_note else max((_suffix(file, f) for f in FORMATS if f.NAME != _WFDB), key=len)
    if suffix:
        return _input(file, base, suffix)
    record = file.with_suffix("")
    return _input(record, base) if record in records else None


def _fixed(pattern: Path) -> Path:
    """The folder where a pattern begins."""
    parts = pattern.parts
    return Path(*parts[: next(i for i, p in enumerate(parts) if any(s in p for s in _MAGIC))])


def _matches(pattern: str) -> Iterator[tuple[Path, Path]]:
    """Files that match a pattern, each with the folder where the pattern begins."""
    base = _fixed(Path(pattern))
    matches = sorted(Path(match) for match in glob.glob(pattern, recursive=True))
    if not matches:
        raise FileNotFoundError(f"{pattern}: no file matches this pattern")
    for match in matches:
        for file in _walk(match, None) if match.is_dir() else (match,):
            yield file, base


def _unpacked(found: Iterable[tuple[Path, Path]], inputs: Inputs) -> Iterator[tuple[Path, Path]]:
    """Replace a zip archive of several tables by its tables."""
    for file, base in found:
        tables = members(file)
        if len(tables) < 2:
            yield file, base
            continue
        inputs.several = True
        for table in tables:
            yield table, base


def _walk(
    folder: Path, results: Path | None, above: frozenset[Path] = frozenset()
) -> Iterator[Path]:
    """Files in a folder and its subfolders, sorted, without hidden files and results.

    Links to one of the folders ``above`` are not followed.
    """
    above |= {folder.resolve()}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if not path.is_dir():
            yield path
        elif path.resolve() not in above and not (
            results is not None and path.resolve() == results.resolve()
        ):
            yield from _walk(path, results, above)


def _recording(file: Path, base: Path, by_content: bool = False) -> Input | None:
    """Recording that a file is, or whose header or signal it is."""
    format = format_of(file, by_suffix=not by_content)
    if format is None:
        return None
    if format.NAME == _WFDB:
        return _input(file.with_suffix("") if file.suffix in (".hea", ".dat") else file, base)
    return _input(file, base, _suffix(file, format), written=format.SUFFIXES[0])


def _input(file: Path, base: Path, suffix: str = "", written: str = "") -> Input:
    """A recording below ``base``, with the suffix of its format or that of its result."""
    stem = file.with_name(file.name[: len(file.name) - len(suffix)] or file.name)
    place = stem.relative_to(base) if stem.is_relative_to(base) else Path(stem.name)
    return Input(source=file, place=place, suffix=suffix or written)


def _is_part(file: Path) -> bool:
    """True for a companion of a WFDB header of the same name, such as annotations."""
    return file.is_file() and file.with_suffix(".hea").is_file()


def _join_records(inputs: Inputs, others: Iterable[Path]) -> None:
    """Remove duplicates and segments of complete records; count the unknown files."""
    found = {input.source.absolute(): input for input in reversed(inputs.found)}
    described = {path.parent for path in found if path.name == _UNISENS}
    parts = {path for path in found if path.parent in described and path.name != _UNISENS}
    named = parts | {
        path.parent / name
        for path, input in found.items()
        if input.suffix == ""
        for name in names_in(path.with_name(f"{path.name}.hea"))
    }
    inputs.found = [input for path, input in reversed(found.items()) if path not in named]
    inputs.unknown += sum(
        1 for file in others if not _is_part(file) and file.absolute() not in named
    )
