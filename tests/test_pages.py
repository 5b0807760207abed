"""The programs in README and docs/ print what is said beside them, and the tests that pages name exist."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = {page.stem: page.read_text() for page in [*sorted((ROOT / "docs").glob("*.md")), *ROOT.glob("README.md")]}
# Pages whose programs are no whole programs, and why.
NOT_RUN = {
    "adding-a-rule": "parts of files of this package",
    "cuda": "needs a GPU",
    "pytorch": "with the reader's model",
    "race": "tests/test_race_example.py runs it",
}
PROGRAMS = {name: re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE) for name, text in PAGES.items()}
RUN = [name for name, programs in PROGRAMS.items() if programs and name not in NOT_RUN]


@pytest.mark.parametrize("name", RUN)
def test_programs_of_a_page_print_what_it_says(name, run_python, tmp_path):
    """Those of a page are one program. Comments after a print are its output, also those of several passes of a loop."""
    program = "\n".join(PROGRAMS[name])
    for package in re.findall(r"^import (torch|optax)$", program, re.MULTILINE):
        pytest.importorskip(package)
    comments = re.findall(r"print\(.*\)  # (.*)$", program, re.MULTILINE)
    expected = [text for comment in comments for text in comment.split("  # ")]
    assert expected
    assert run_python(f"import os; os.chdir({str(tmp_path)!r})\n{program}").splitlines() == expected


@pytest.mark.skipif(not PAGES, reason="needs the source tree")
def test_what_is_not_run_is_there():
    assert all(PROGRAMS[name] for name in NOT_RUN)


@pytest.mark.parametrize("name", PAGES)
def test_tests_that_a_page_names_exist(name):
    for file, test in re.findall(r"`(tests/\w+\.py)(?:::(\w+))?`", PAGES[name]):
        assert (ROOT / file).exists(), file
        assert f"\ndef {test}(" in (ROOT / file).read_text() or not test, f"{file}::{test}"


# Questions, the words that a reader would look for, and where README's table leads, which begins the site too.
ANSWERS = {
    "clip": "training.md#clipping-gradient-accumulation-and-loss-scaling",
    "schedule": "training.md#learning-rate-schedules",
    "resume": "checkpoints.md",
    "PyTorch": "coming-from.md",
    "threads": "threads.md",
    "GPU": "cuda.md",
    "C++": "c-interface.md",
    "bits": "reproducibility.md",
    "fast": "benchmarks.md",
    "learning rate": "settings.md",
}


@pytest.mark.skipif(not PAGES, reason="needs the source tree")
@pytest.mark.parametrize("question", ANSWERS)
def test_the_first_page_answers_in_one_click(question):
    rows = re.findall(r"^\| (.*) \| (\[.*\)) \|$", PAGES["README"], re.MULTILINE)
    assert [links for asked, links in rows if question in asked and f"](docs/{ANSWERS[question]})" in links]


@pytest.mark.skipif(not PAGES, reason="needs the source tree")
@pytest.mark.parametrize("word", ["resume", "checkpoint", "deterministic", "reproducible", "threads", "learning rate", "clip"])
def test_what_readers_search_for_is_in_a_heading(word):
    """Where the search of the site looks first."""
    headings = [line for text in PAGES.values() for line in text.splitlines() if line.startswith("#")]
    assert any(word in heading.lower() for heading in headings)


def test_pypi_shows_the_readme_without_what_leads_nowhere_there():
    tool = importlib.util.spec_from_file_location("pypi_readme", ROOT / "tools" / "pypi_readme.py")
    module = importlib.util.module_from_spec(tool)
    tool.loader.exec_module(module)
    shown = (ROOT / "README-PyPI.md").read_text()
    assert shown == module.current(), "run python tools/pypi_readme.py"
    assert not re.search(r"\]\((?!https?://|#)", shown)
    readme = "See [A](docs/a.md#b) ([more](docs/c.md)) and [web](https://x.org).\n\n![p](docs/p.gif)\n\nEnd"
    assert module.text(readme, None) == "See A and [web](https://x.org).\n\nEnd"
    assert "[A](https://home/docs/a.md#b) ([more](https://home/docs/c.md))" in module.text(readme, "https://home/")
