"""With --strict-skips, a test that is skipped for a reason that is not listed here makes the whole run fail.

Continuous integration runs everything in one place, which has all that the tests need. A test that is skipped there tests
nothing anywhere, and nobody would notice. Where much is missing on purpose, as for wheels, the option is left out.
"""

import re

import pytest

# Why each of these may be missing even there.
ALLOWED = {
    r"needs a GPU: ": "make test-gpu runs these, on a machine that has one",
    r"needs playwright|needs Chromium": "make test-browser runs these, where there is a browser",
    r"could not import 'thinc'": "make test-recipes runs it",
    r"needs ffmpeg": "a film is written by a program that no dependency group has",
    r"NVRTC [\d.]+ does not know sm_\d+": "each version of CUDA drops old GPUs and lacks later ones; another one has them",
    r"needs \d+ GiB of address space": "a container may have less",
}
KEY = pytest.StashKey[list]()


def pytest_addoption(parser):
    parser.addoption("--strict-skips", action="store_true", help="fail if a test is skipped for a reason not in tests/skips.py")


def reason_of(report):
    """What pytest.skip() was given. An expected failure counts as none of these."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


def pytest_sessionfinish(session):
    """In the process that has all reports, also those of workers and of modules that were skipped as a whole."""
    config = session.config
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if not config.getoption("strict_skips") or hasattr(config, "workerinput") or reporter is None:
        return
    skipped = [(report.nodeid, reason_of(report)) for report in reporter.stats.get("skipped", [])]
    config.stash[KEY] = [f"{test}: {reason}" for test, reason in skipped if not any(re.match(r, reason) for r in ALLOWED)]
    if config.stash[KEY] and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    if unlisted := config.stash.get(KEY, []):
        terminalreporter.section("skipped for reasons that tests/skips.py does not list", red=True)
        for line in unlisted:
            terminalreporter.line(line)
