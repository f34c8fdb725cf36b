"""ECGNExT: a wrist lead under motion and a clean collar-bone lead recorded at the same time.

Recordings of 27 people by the U.S. Food and Drug Administration at 1000 Hz, in the public domain;
public repository dbp-osel/ECGNExT, ``ECG_files/ECGs``. Galeotti and Scully, "A method to extract
realistic artifacts from electrocardiogram recordings for robust algorithm testing", Journal of
Electrocardiology 51 (6S), 2018; Suliman et al., "Clinical evaluation of the ECG noise extraction
tool", IEEE Transactions on Biomedical Engineering, 2024.

The repository has a MATLAB file for each person: ``ECG.<session>`` (collar bone) and
``ECGn.<session>`` (wrist) in V, ``ecgSegInd.<session>`` (first and last sample, counted from 1, of
the interval in which the collar-bone lead is clean) and ``fs``. :func:`convert` makes a WFDB record
``<person>_<session>`` of each session, without loss.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae import formats
from ipmdae.files import replacing
from ipmdae.formats.errors import FormatError, reason
from ipmdae.formats.optional import needs
from ipmdae.recording import Recording, Resolution

FOLDER = "ecgnext"
LEADS = ("collarbone", "wrist")

#: Sessions with motion, and without.
MOTIONS = ("ArmW", "ElectTap", "FingTap", "MakeFist", "WristRot")
AT_REST = tuple(f"Seg{number}_NoMot" for number in range(1, 7))

#: Steps per mV of the digital samples (3.125 uV each).
STEPS_PER_MV = 320.0

_CLEAN = re.compile(r"clean reference interval \(samples\): \[(\d+), (\d+)\]")
_LARGEST_STEP_ERROR = 0.05


class NotConvertedError(FileNotFoundError):
    """The recordings are not where they were looked for; the message says how to get them."""

    def __init__(self, looked_in: Path) -> None:
        super().__init__(
            f"ECGNExT is not in {looked_in}; clone the public repository dbp-osel/ECGNExT and run: "
            f"python -m tools.convert_ecgnext ECGNExT --to {shlex.quote(str(looked_in))}"
        )


def record_names(folder: Path) -> list[str]:
    """The names of all recordings in ``folder``, sorted.

    Raises:
        NotConvertedError: there is no such folder, or no recording in it.
    """
    names = sorted(path.stem for path in folder.glob("ID*_*.hea"))
    if not names:
        raise NotConvertedError(folder)
    return names


def read(folder: Path, name: str) -> Recording:
    """One session, (time, 2) in mV: the collar-bone lead and the wrist lead.

    Both are inverted as stored; here beats are upright.

    Raises:
        NotConvertedError: it is not in ``folder``.
    """
    if not (folder / f"{name}.hea").is_file():
        raise NotConvertedError(folder)
    recording = formats.read(folder / name, annotations=False)
    return recording.with_signal(-recording.signal)


def clean_interval(recording: Recording) -> slice:
    """Samples in which the collar-bone lead is clean; all where the header names no interval."""
    for comment in recording.comments:
        if found := _CLEAN.search(comment):
            return slice(int(found[1]) - 1, int(found[2]))
    return slice(0, len(recording.signal))


def person(name: str) -> str:
    """Whose recording it is: ``ID032`` of ``ID032_ArmW``."""
    return name.partition("_")[0]


def convert(source: Path, to: Path) -> list[str]:
    """Convert all recordings of a clone of the repository to WFDB records in ``to``.

    Args:
        source: the clone, or the folder of its ``.mat`` files.
        to: made where it is missing; records that are there are replaced.

    Returns:
        The names of the records, sorted; they stand in ``RECORDS``, too.

    Raises:
        FileNotFoundError: there is no recording in ``source``.
        FormatError: a file is broken, or not laid out as those of the repository.
        ModuleNotFoundError: SciPy (or h5py for files of MATLAB's version 7.3) is not installed.
    """
    folder = next(
        (f for f in (source / "ECG_files" / "ECGs", source) if list(f.glob("ID*.mat"))), None
    )
    if folder is None:
        raise FileNotFoundError(f"{source}: there is no ECG_files/ECGs/ID*.mat in it")
    names = []
    for path in sorted(folder.glob("ID*.mat")):
        for recording, session in _sessions(path):
            names.append(f"{path.stem}_{session}")
            formats.write(recording, to / names[-1])
    with replacing(to / "RECORDS") as aside:
        aside.write_text("".join(f"{name}\n" for name in sorted(names)), encoding="ascii")
    return sorted(names)


def _sessions(path: Path) -> Iterator[tuple[Recording, str]]:
    """The recordings of one person, and the names of the sessions."""
    content = _load(path)
    try:
        reference, wrist, intervals = (content[key] for key in ("ECG", "ECGn", "ecgSegInd"))
        fs = float(np.squeeze(content["fs"]))
        sessions = sorted(reference.keys() & wrist.keys())
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise FormatError(path, "has no structures ECG, ECGn, ecgSegInd and no fs") from error
    for session in sessions:
        leads = [np.ravel(of[session]) for of in (reference, wrist)]
        if not re.fullmatch(r"\w+", session) or len({len(lead) for lead in leads}) != 1:
            raise FormatError(path, f"session {session!r}: the two leads differ in length")
        comments: tuple[str, ...] = ()
        interval = np.ravel(intervals.get(session, ()))
        if len(interval) == 2:
            first, last = (int(sample) for sample in interval)
            comments = (f"clean reference interval (samples): [{first}, {last}]",)
        yield (
            Recording(
                signal=_millivolts(path, np.stack(leads, axis=1)),
                fs=fs,
                leads=LEADS,
                resolution=(Resolution(gain=STEPS_PER_MV, baseline=0, bits=16),) * 2,
                comments=comments,
            ),
            session,
        )


def _millivolts(path: Path, volts: NDArray[Any]) -> NDArray[np.float64]:
    """Whole steps of the recorder, in mV."""
    steps = volts.astype(np.float64) * 1000 * STEPS_PER_MV
    whole = np.rint(steps)
    if not np.all(np.abs(steps - whole) < _LARGEST_STEP_ERROR):  # NaN is not
        raise FormatError(path, f"samples are not in V, in whole steps of {1e3 / STEPS_PER_MV} uV")
    mv: NDArray[np.float64] = whole / STEPS_PER_MV
    return mv


def _load(path: Path) -> dict[str, Any]:
    """The variables of a MATLAB file, structures as dictionaries."""
    with path.open("rb") as file:
        hdf5 = file.read(19) == b"MATLAB 7.3 MAT-file"
    try:
        if hdf5:
            with needs("h5py", "MATLAB files of version 7.3"):
                import h5py
            with h5py.File(path) as file:
                return {name: _plain(item, h5py.Group) for name, item in file.items()}
        with needs("scipy", "MATLAB files"):
            from scipy.io import loadmat
        return dict(loadmat(path, simplify_cells=True))
    except ModuleNotFoundError:
        raise
    except Exception as error:
        raise FormatError(path, f"the MATLAB file is broken ({reason(error)})") from error


def _plain(item: Any, group: type) -> Any:
    """An HDF5 group as a dictionary, a data set as an array."""
    if isinstance(item, group):
        return {name: _plain(member, group) for name, member in item.items()}  # type: ignore[attr-defined]
    return item[()]
