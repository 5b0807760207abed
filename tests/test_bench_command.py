"""``python -m fastadam bench``: its table, what it compares with, and how it takes samples."""

import json
import os
import re

import numpy as np
import pytest

import fastadam
from fastadam.commands import bench, cases, load
from fastadam.commands.parser import main
from fastadam.commands.timing import FEWEST_ROUNDS, Times, interleave
from fastadam.commands.wall import memory_wall

ROW = {
    "case": str,
    "tensors": int,
    "elements": int,
    "threads": int,
    "seconds_per_step": float,
    "gigabytes_per_second": float,
    "times_faster_than_numpy": float,
}


@pytest.fixture
def small(monkeypatch):
    """The largest buffer of the benchmark is a small one."""
    monkeypatch.setattr(bench, "LARGE", 70_001)


def json_of(capsys, *arguments):
    main(["bench", *arguments, "--json"])
    return json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("small")
def test_bench(capsys):
    main(["bench", "--seconds", "0"])
    head, *rows = capsys.readouterr().out.partition("\n\n")[0].splitlines()
    assert re.split(" {2,}", head.strip()) == ["elements", "threads", "time", "GB/s", "vs NumPy", "% of memory wall"]
    assert [row.strip().split("  ")[0] for row in rows[:: len(rows) // 4]] == ["1,000", "100,000", "1,000 x 256", "70,001"]


@pytest.mark.usefixtures("small")
def test_bench_as_json(capsys):
    result = json_of(capsys, "--seconds", "0", "--threads", "1")
    assert (result["version"], result["isa"]) == (fastadam.__version__, fastadam.active_isa())
    assert 0 < result["seconds"] < 100
    for row in result["rows"]:
        walls, spread = row.pop("percent_of_memory_wall"), row.pop("spread_of_percent")
        assert (walls is None) == (spread is None)
        assert {name: type(value) for name, value in row.items()} == ROW
        assert all(value > 0 for name, value in row.items() if name != "case")
        assert (walls is None) == (row["elements"] != 70_001)
    assert [row["elements"] for row in result["rows"]] == [1_000, 100_000, 256_000, 70_001]


def test_bench_takes_less_memory_where_there_is_little(capsys, monkeypatch):
    monkeypatch.setattr(bench, "free_memory", lambda: 80 * 3_000)
    rows = json_of(capsys, "--seconds", "0", "--threads", "1")["rows"]
    assert rows[-1]["elements"] == 3_000
    assert rows[-1]["percent_of_memory_wall"] > 0


@pytest.mark.usefixtures("small")
def test_bench_leaves_the_number_of_threads_as_it_was():
    before = fastadam.get_num_threads()
    fastadam.set_num_threads(3)
    try:
        three = fastadam.get_num_threads()  # 1 where there are no threads
        main(["bench", "--seconds", "0", "--threads", "1"])
        assert fastadam.get_num_threads() == three
    finally:
        fastadam.set_num_threads(before)


def test_bench_refuses_more_threads_than_openmp_would_use(monkeypatch):
    monkeypatch.setattr(fastadam, "get_num_threads", lambda: 2)
    monkeypatch.setattr(fastadam, "set_num_threads", lambda count: None)
    monkeypatch.setattr(bench, "usable_cpus", lambda: 3)
    with pytest.raises(SystemExit, match="--threads is 3; expected at most 2, the limit of OpenMP here"):
        main(["bench", "--threads", "2", "3"])
    with pytest.raises(SystemExit, match="--threads is 4; expected at most 3, the number of CPUs that this process may use"):
        main(["bench", "--threads", "2", "4"])


@pytest.mark.parametrize("tensors", [1, 3])
def test_bench_notices_wrong_results(monkeypatch, tensors):
    cases.Case(1_003, tensors).check(1)
    monkeypatch.setattr(cases, "LR", 0.00100001)
    case = cases.Case(1_003, tensors)
    monkeypatch.setattr(cases, "LR", 0.001)
    with pytest.raises(SystemExit, match=r"AdamW of .*1,003 elements differs from fastadam\.reference"):
        case.check(1)


def test_what_bench_compares_with_is_adamw():
    ours, numpy = cases.Case(1_003, 2), cases.Case(1_003, 2)
    numpy.step_of_numpy()
    ours.step(1)
    for expected, found in zip(ours.arrays, numpy.arrays, strict=True):
        for i, (one, other) in enumerate(zip(expected, found, strict=True)):
            # 1 - 0.999 in float32 and in float64; parameters, which decay by 1e-5, follow it less.
            np.testing.assert_allclose(other, one, rtol=2e-5 if i else 1e-6)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_memory_wall_touches_what_a_step_does(threads, isa, eager_threads):
    before = [np.random.default_rng(i).random(1_003, np.float32) for i in range(4)]
    arrays = [array.copy() for array in before]
    memory_wall(arrays, threads)()
    param, grad, exp_avg, exp_avg_sq = before
    mixed = (exp_avg.view(np.int32) | param.view(np.int32)).view(np.float32)
    for found, expected in zip(arrays, (grad, grad, exp_avg_sq, mixed), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_memory_wall_refuses_arrays_that_do_not_fit():
    arrays = [np.ones(5, np.float32) for _ in range(4)]
    with pytest.raises(ValueError, match="expected arrays of one size"):
        memory_wall([*arrays[:3], arrays[3][:4]], 1)()
    with pytest.raises(TypeError):
        memory_wall([*arrays[:3], arrays[3].astype(np.float64)], 1)()


def test_load_sees_what_others_do(monkeypatch):
    """100 s of all CPUs: 30 of programs, 60 of idleness, 10 stolen; of which this process has used 5, in 20 s."""
    counts = [[0.0] * 8]
    now, own = iter([100.0]), iter([1.0])
    monkeypatch.setattr(load, "_counts", lambda: counts[-1])
    monkeypatch.setattr(load, "perf_counter", lambda: next(now, 120.0))
    monkeypatch.setattr(load, "process_time", lambda: next(own, 6.0))
    found = load.Load()
    counts.append([20.0, 5, 5, 50, 10, 0, 0, 10])
    assert (found.seconds, found.cpus_of_others(), found.cpus_stolen()) == (20.0, (30 - 5) / 20, 10 / 20)
    monkeypatch.setattr(load, "_counts", lambda: None)
    assert (found.cpus_of_others(), found.cpus_stolen()) == (None, None)


@pytest.mark.skipif(not os.path.exists("/proc/stat"), reason="Linux counts what the CPUs do")
def test_load_reads_the_counts_of_linux():
    counts = load._counts()
    assert len(counts) == 8
    assert counts[load.IDLE] > 0


@pytest.mark.usefixtures("small")
def test_bench_says_when_the_machine_was_busy(capsys, monkeypatch):
    monkeypatch.setattr(load.Load, "cpus_of_others", lambda self: 0.7)
    monkeypatch.setattr(load.Load, "cpus_stolen", lambda self: 0.05)
    main(["bench", "--seconds", "0", "--threads", "1"])
    *_, measured, warning = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"measured in \d+ s", measured)
    assert warning.startswith("Other programs used 0.7 CPUs meanwhile")


def test_bench_takes_a_smaller_buffer_where_numpy_is_slow(capsys, monkeypatch):
    monkeypatch.setattr(bench, "LARGE", 700_000)
    monkeypatch.setattr(bench, "STILL_LARGE", 70_000)
    monkeypatch.setattr(bench, "seconds_of_numpy", lambda size: 0.5)
    assert json_of(capsys, "--seconds", "2", "--threads", "1")["rows"][-1]["elements"] == 70_000 * (120_000 // 70_000)
    assert json_of(capsys, "--seconds", "0", "--threads", "1")["rows"][-1]["elements"] == 70_000


def test_medians_of_samples():
    times = Times({"a": [1.0, 5.0, 8.0], "b": [2.0, 4.0, 2.0]})
    assert (times.median("a"), times.median("b"), times.ratio("a", "b")) == (5.0, 2.0, 1.25)


def test_samples_are_taken_in_turn():
    order = []
    steps = {name: (lambda name=name: order.append(name)) for name in "abc"}
    interleave(steps, 0.0)
    turns = [name for i, name in enumerate(order) if i == 0 or order[i - 1] != name]
    assert "".join(turns) == "abc" + "abcbabc"[: 3 * FEWEST_ROUNDS]
