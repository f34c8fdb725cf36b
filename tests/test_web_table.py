"""The table reader of the web page, in Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

MODULE = Path(__file__).parents[1] / "native" / "wasm" / "table.mjs"
SCRIPT = """
import { parse } from %s;
const answer = (text) => {
  try {
    const { names, columns, fs } = parse(text);
    return { names, fs, columns: columns.map((c) => [...c].map((x) => +x.toFixed(6))) };
  } catch (error) { return error.message; }
};
process.stdout.write(JSON.stringify(%s.map(answer)));
"""

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")


def parsed(*texts: str) -> list[Any]:
    script = SCRIPT % (json.dumps(MODULE.as_uri()), json.dumps(texts))
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script], capture_output=True, check=True, timeout=60
    )
    answers: list[Any] = json.loads(done.stdout)
    return answers


def test_tables_of_the_web_page() -> None:
    timed, small, bare, word, still = parsed(
        "time (s),II (mV),V1 (mV)\n0,1,2\n0.004,3,4\n0.008,,6\n",
        "\ufeffTime (ms);II (uV)\r\n0;100\r\n4;200\r\n8;300\r\n",
        "1,2\n3,4\n",
        "II\n1\nx\n",
        "t,II\n1,1\n1,2\n",
    )
    assert timed == {
        "names": ["II (mV)", "V1 (mV)"],
        "fs": 250,
        "columns": [[1, 3, None], [2, 4, 6]],
    }
    assert small == {"names": ["II (mV)"], "fs": 250, "columns": [[0.1, 0.2, 0.3]]}
    assert bare == {"names": ["lead 1", "lead 2"], "fs": None, "columns": [[1, 3], [2, 4]]}
    assert word == "row 2 of II holds “x”, which is no number"
    assert still == "the column t tells no rate"
