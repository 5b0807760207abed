"""Writes README-PyPI.md, which PyPI shows: README.md without what leads nowhere there, links and pictures in this repository.

Once `project.urls` in pyproject.toml has a Documentation, links lead there.
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "README-PyPI.md"
PICTURE = re.compile(r"^!\[[^\]]*\]\((?!http)[^)]*\)\n\n", re.MULTILINE)
LINK = re.compile(r"\[([^\]]+)\]\((?!http|#)([^)#]*)(#[^)]*)?\)")
ASIDE = re.compile(rf"\s\({LINK.pattern}\)")  # says no more than where something is


def text(readme: str, home: str | None) -> str:
    """README.md for PyPI; `home` is the address of its folder, with a slash at the end."""
    words = PICTURE.sub("", readme)
    return LINK.sub(r"\1", ASIDE.sub("", words)) if home is None else LINK.sub(rf"[\1]({home}\2\3)", words)


def current() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return text((ROOT / "README.md").read_text(), project.get("urls", {}).get("Documentation"))


if __name__ == "__main__":
    TARGET.write_text(current())
