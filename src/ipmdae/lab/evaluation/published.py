"""Published results on the beats of protocol deepfilter, both versions of the noise pooled."""

from __future__ import annotations

from dataclasses import dataclass

from ipmdae.lab.evaluation.training_budget import Counts

DEEPFILTER = "[DeepFilter]"
DESCOD = "[DeScoD-ECG]"
MECGE = "[MECG-E]"
RL_EXP = "[rl_exp]"


@dataclass(frozen=True)
class Row:
    """A published row.

    Attributes:
        title: name of the method in the publication.
        source: publication.
        ssd, mad, prd, cosine: means over beats; PRD by DeepFilter's formula.
        method: name of the same method in this package, where it has it.
    """

    title: str
    source: str
    ssd: float
    mad: float
    prd: float
    cosine: float
    method: str = ""

    @property
    def values(self) -> tuple[float, float, float, float]:
        """SSD, MAD, PRD and cosine similarity."""
        return self.ssd, self.mad, self.prd, self.cosine


ROWS = (
    Row("FIR", DEEPFILTER, 47.464, 0.676, 66.158, 0.692, "fir"),
    Row("IIR", DEEPFILTER, 35.645, 0.594, 61.125, 0.736, "iir"),
    Row("DRNN", DEEPFILTER, 6.702, 0.480, 50.035, 0.878, "drnn"),
    Row("FCN-DAE", DEEPFILTER, 10.633, 0.598, 94.504, 0.770, "fcn-dae"),
    Row("DeepFilter (Multibranch LANLD)", DEEPFILTER, 5.203, 0.386, 50.445, 0.897, "deepfilter"),
    Row("DeScoD-ECG, 1 shot", DESCOD, 4.832, 0.369, 43.588, 0.906, "descod"),
    Row("DeScoD-ECG, 10 shots", DESCOD, 3.771, 0.329, 40.527, 0.926, "descod-10"),
    Row("MECG-E (magnitude and phase)", MECGE, 3.445, 0.319, 37.613, 0.936, "mecg-e"),
    Row("MECG-E, best of a sweep", MECGE, 3.146, 0.304, 37.45, 0.941),
    Row("BiLSTM, flow matching and U-Net, v7", RL_EXP, 3.285, 0.318, 35.67, 0.9395),
)

#: How long networks of a publication were trained, where it is longer than here.
TRAINED = {DEEPFILTER: "until 10 epochs lowered the training SSD by less than 0.05 mV²"}

#: Published parameters, and multiply-accumulates for a beat.
COUNTS = {
    "descod": Counts(1.93e6, 39e9),
    "descod-10": Counts(1.93e6, 390e9),
    "mecg-e": Counts(0.62e6, 0.81e9),
}

#: Edges of the bins of the noise factor for which publications give means.
FACTOR_EDGES = (0.2, 0.6, 1.0, 1.5, 2.0)

#: SSD in these bins, and cosine similarity where it was given.
BY_FACTOR = {
    f"MECG-E (magnitude and phase) {MECGE}": (
        (1.550, 0.971),
        (2.507, 0.952),
        (3.746, 0.929),
        (5.427, 0.901),
    ),
    f"BiLSTM, flow matching and U-Net, v7 {RL_EXP}": ((1.603,), (2.441,), (3.571,), (5.030,)),
}
