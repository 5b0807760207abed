"""The workflows use actions by commits, which nobody can move, and none of their jobs runs for hours."""

import re
from pathlib import Path

import pytest

WORKFLOWS = sorted((Path(__file__).parents[1] / ".github/workflows").glob("*.yml"))
pytestmark = pytest.mark.skipif(not WORKFLOWS, reason="needs the source tree")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_and_jobs_end(workflow):
    text = workflow.read_text()
    for line in re.findall(r"uses: *(.+)", text):
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} +# v[\d.]+", line), f"{line}: expected a commit and a version"
    jobs = re.split(r"\n  (?=[\w-]+:\n)", text.partition("\njobs:")[2])[1:]
    assert jobs
    assert all("\n    timeout-minutes:" in job for job in jobs)
