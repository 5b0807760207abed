"""The tables of a run of every rule and option, and its targets. They are Markdown, readable as text."""

from collections.abc import Iterator

from report import about, duration, table, targets_table, three_digits
from results import Results, gigabytes_per_second, setting
from rules import ADAMW, FLAT, OPTIONS, OPTIONS_CASE, OVERHEAD, RULES
from targets import WALL, Target

OF_TWIN = 0.95  # of the speed
OVERHEAD_MICROSECONDS = 30.0
EXPLANATION = (
    "A rule's twin is a kernel with the same loads and stores and no arithmetic: it reads parameter, gradient and states, and "
    "writes all but the gradient. For an option, the table gives the time of the whole step relative to AdamW alone on the "
    "same arrays; `max_norm` and `skip_nonfinite` read the gradients once more, `ema_decay` reads and writes one more array."
)


def report(results: Results, with_targets: bool = True) -> str:
    """The report of a run. Leave the targets out for a short run, whose single samples are too few to judge them."""
    parts = [about(results, "Rules and options", EXPLANATION)]
    for threads in results.unique("threads"):
        title = setting(threads)
        parts += [
            f"## {title}: every rule, {_elements(results, RULES[0].name)} elements",
            _rules(results, threads),
            f"## {title}: AdamW with options of a step, {_elements(results, OPTIONS_CASE)} elements",
            _options(results, threads),
            f"## {title}: overhead of a nearly empty step",
            _overhead(results, threads),
        ]
    if with_targets:
        parts += ["## Targets", targets_table(target for t in results.unique("threads") for target in _targets(results, t))]
    return "\n\n".join(parts) + "\n"


def _elements(results: Results, case: str) -> str:
    return f"{results.unique('elements', lambda row: row['case'] == case)[0]:,}"


def _rules(results: Results, threads: int) -> str:
    body = []
    for rule in RULES:
        row, bytes_per_element = results.row(threads, rule.name, rule.name), 4 * (3 + 2 * rule.states)
        speed = f"{gigabytes_per_second(row, bytes_per_element):.1f}"
        twin = results.row(threads, rule.name, WALL)
        percent = f"{100 * twin['times_fastadam']:.0f}"
        times = [duration(each["nanoseconds"]) for each in (row, twin)]
        body.append([rule.name, str(rule.states), str(bytes_per_element), *times, speed, percent])
    return table(["rule", "states", "bytes per element", "time", "twin's time", "GB/s", "% of twin"], body)


def _options(results: Results, threads: int) -> str:
    rows = [results.row(threads, OPTIONS_CASE, kind.name) for kind in (ADAMW, *OPTIONS)]
    body = [[row["contender"], duration(row["nanoseconds"]), three_digits(row["times_fastadam"])] for row in rows]
    return table(["", "time", "relative to AdamW alone"], body)


def _overhead(results: Results, threads: int) -> str:
    names = results.unique("contender", lambda row: row["case"] == OVERHEAD.name)
    cases = [OVERHEAD.name, FLAT.name]
    body = [[case, *(duration(results.row(threads, case, name)["nanoseconds"]) for name in names)] for case in cases]
    return table(["elements", *names], body)


def _targets(results: Results, threads: int) -> Iterator[Target]:
    def at(case: str) -> str:
        return f"{case}, {setting(threads)}"

    for rule in RULES:
        yield Target(at(rule.name), "speed / twin's", OF_TWIN, results.row(threads, rule.name, WALL)["times_fastadam"])
    for option, goal in OPTIONS.items():
        times = results.row(threads, OPTIONS_CASE, option.name)["times_fastadam"]
        yield Target(at(f"AdamW with {option.name}"), "time / AdamW's alone", goal, times, at_most=True)
    microseconds = results.row(threads, OVERHEAD.name, "fastadam")["nanoseconds"] / 1e3
    yield Target(at(OVERHEAD.name), "µs", OVERHEAD_MICROSECONDS, microseconds, at_most=True)
