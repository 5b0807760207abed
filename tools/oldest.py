"""Prints the oldest releases that pyproject.toml allows of all that is needed to build, run and test the package, for pip."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
needed = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
needed += ["cmake" + project["tool"]["scikit-build"]["cmake"]["version"], *project["dependency-groups"]["test-wheel"]]
needed += [each for each in project["dependency-groups"]["test"] if str(each).startswith("setuptools")]  # for tests/consumers
for requirement in needed:
    assert re.fullmatch(r"[\w-]+>=[\d.]+", requirement), f"{requirement}: expected a lower bound alone"
    print(requirement.replace(">=", "=="))
print("ninja")
