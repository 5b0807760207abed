"""The page of attacks names tests that exist, with the number of their cases."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import fastadam

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "what-it-survives.md"
ROW = re.compile(r"^\| .* \| (\d+)( per instruction set)? \| .* \| `(tests/[\w/]+\.py::\w+)` \|$", re.MULTILINE)


@pytest.mark.skipif(not PAGE.exists(), reason="needs the source tree")
def test_each_attack_is_a_test_with_that_many_cases():
    isas = len(fastadam.available_isas())
    rows = {test: int(cases) * (isas if per_isa else 1) for cases, per_isa, test in ROW.findall(PAGE.read_text())}
    assert len(rows) == PAGE.read_text().count("| `tests/")
    command = [sys.executable, "-P", "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *rows]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    found = Counter(line.partition("[")[0] for line in result.stdout.splitlines() if "::" in line)
    assert found == rows
