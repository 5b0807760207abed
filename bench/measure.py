"""Checks the results of all contenders in one case, then measures their times."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from answers import expect
from buffers import TIMED, ZERO, Buffers
from cases import Case
from contenders import Contender
from interleave import interleave
from results import setting

STEPS_CHECKED = 2
LARGE = 10_000_000  # elements from which a case gets more time: its steps take long, and a median needs samples


def set_up(
    kinds: Iterable[type[Contender]], case: Case, buffers: Buffers, threads: int | None, missing: dict[str, str]
) -> Iterator[Contender]:
    """The installed contenders, whose results have been checked; the others are added to `missing`."""
    for kind in kinds:
        if kind.name in missing:
            continue
        if kind.most_tensors is not None and len(case.shapes) > kind.most_tensors:
            missing[f"{kind.name} on {case.name}"] = kind.why_not_more
            continue
        try:
            contender = kind(buffers, threads)
        except ImportError as error:
            missing[kind.name] = f"no module {error.name}" if error.name else str(error)
            continue
        contender.load(kind.checked)
        for _ in range(STEPS_CHECKED):
            contender.step()
        answer = contender.answer(contender.typed(kind.checked), STEPS_CHECKED)
        expect(f"{kind.name}, {case.name}, {setting(threads)}", contender.arrays, answer)
        contender.timed = ZERO if case.is_zero else TIMED
        contender.load(contender.timed)
        contender.before = contender.before_steps(case)
        yield contender


def measure(contenders: Sequence[Contender], case: Case, threads: int | None, budget: float) -> list[dict[str, Any]]:
    """One row for each contender."""
    all_series = interleave(contenders, budget * (4 if case.elements > LARGE else 1))
    (fastadam,) = (series for series in all_series if series.contender.kind == "ours")
    return [
        {
            "threads": threads,
            "case": case.name,
            "tensors": len(case.shapes),
            "elements": case.elements,
            "contender": series.contender.name,
            "kind": series.contender.kind,
            "nanoseconds": series.median,
            "quartiles": series.quartiles,
            "samples": len(series.samples),
            "steps_per_sample": series.steps,
            "times_fastadam": series.over(fastadam),
        }
        for series in all_series
    ]
