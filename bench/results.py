"""The rows of a run, looked up by thread count (none on a GPU), case and contender."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

BYTES_PER_ELEMENT = 28  # Adam reads parameter, gradient and two moments, and writes all but the gradient: 7 float32


def gigabytes_per_second(row: dict[str, Any], bytes_per_element: int = BYTES_PER_ELEMENT) -> float:
    return float(bytes_per_element * row["elements"] / row["nanoseconds"])


def setting(threads: int | None) -> str:
    """The configuration that rows with this thread count were measured in."""
    return "GPU" if threads is None else "1 thread" if threads == 1 else f"{threads} threads"


@dataclass(frozen=True)
class Results:
    """The measurements of one run, and its machine."""

    machine: dict[str, Any]
    rows: list[dict[str, Any]]
    missing: dict[str, str]  # contender -> why

    def unique(self, key: str, where: Callable[[dict[str, Any]], bool] = lambda row: True) -> list[Any]:
        """The values of `key`, in the order in which they were measured."""
        return list(dict.fromkeys(row[key] for row in self.rows if where(row)))

    def find(self, threads: int | None, case: str, contender: str) -> dict[str, Any] | None:
        rows = (row for row in self.rows if (row["threads"], row["case"], row["contender"]) == (threads, case, contender))
        return next(rows, None)

    def row(self, threads: int | None, case: str, contender: str) -> dict[str, Any]:
        """The row of a contender that is known to be measured."""
        if (row := self.find(threads, case, contender)) is None:
            raise KeyError(f"no row of {contender} for {case}, {setting(threads)}")
        return row

    def ratio(self, threads: int | None, case: str, contender: str) -> float | None:
        """Its time divided by fastadam's."""
        row = self.find(threads, case, contender)
        return None if row is None else float(row["times_fastadam"])

    def of_kind(self, kind: str) -> list[str]:
        """The contenders of a kind: "peer", "wall"."""
        return [str(name) for name in self.unique("contender", lambda row: row["kind"] == kind)]
