"""The programs of examples/recipes/ for tests: they run, check themselves, and print what the page of recipes shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECIPES = {path.stem: path for path in sorted((ROOT / "examples" / "recipes").glob("*.py"))}
PAGE = ROOT / "docs" / "recipes.md"


def shown_on_the_page():
    """What the page shows, by command: arguments -> output."""
    return dict(
        re.findall(r"^```console\n\$ python examples/recipes/(.+)\n((?:(?!```).+\n)*)```$", PAGE.read_text(), re.MULTILINE)
    )


def comparable(output):
    """All but the ratios of times."""
    return re.sub(r"[\d.]+( times as fast)", r"#\1", output)


def check_recipe(name, **environ):
    # Threads of BLAS would make these small products slower where other tests run.
    environ = os.environ | {"OPENBLAS_NUM_THREADS": "1"} | environ
    command = [sys.executable, "-W", "error", RECIPES[name]]
    result = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=120)
    assert result.returncode == 0, result.stderr
    assert comparable(result.stdout) == comparable(shown_on_the_page()[f"{name}.py"])
