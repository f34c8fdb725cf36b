"""Denoise a recording with the model beside this file: ``python example.py [RECORDING]``.

Writes ``cleaned.edf`` to the current folder. Needs ``pip install ultralight-ipm-dae``.
"""

import sys
from pathlib import Path

import ipmdae
from ipmdae import examples

if __name__ == "__main__":
    source = sys.argv[1] if len(sys.argv) > 1 else examples.path("118e24_excerpt")
    denoiser = ipmdae.Denoiser(Path(__file__).with_name("model.safetensors"))
    result = denoiser.denoise(source, return_details=True)
    ipmdae.write(result.cleaned, "cleaned.edf")
    print(
        f"{result.cleaned}: {100 * result.readable.mean():.0f} % good or limited, see cleaned.edf"
    )
