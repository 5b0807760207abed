"""``python -m fastadam bench``: its table, what it compares with, and how it takes samples."""

import concurrent.futures
import json
import re

import numpy as np
import pytest

import fastadam
from fastadam.commands import bench, cases
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
    head, *rows = capsys.readouterr().out.splitlines()
    assert re.split(" {2,}", head.strip()) == ["elements", "threads", "time", "GB/s", "vs NumPy", "% of memory wall"]
    assert [row.strip().split("  ")[0] for row in rows[:: len(rows) // 4]] == ["1,000", "100,000", "1,000 x 256", "70,001"]


@pytest.mark.usefixtures("small")
def test_bench_as_json(capsys):
    result = json_of(capsys, "--seconds", "0", "--threads", "1")
    assert (result["version"], result["isa"], result["seconds"]) == (fastadam.__version__, fastadam.active_isa(), 0)
    for row in result["rows"]:
        walls = row.pop("percent_of_memory_wall")
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
    with pytest.raises(SystemExit, match="--threads is 3; expected at most 2"):
        main(["bench", "--threads", "2", "3"])


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
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_allclose(other, one, rtol=2e-5)  # 1 - 0.999 in float32 and in float64


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_memory_wall_touches_what_a_step_does(threads):
    before = [np.random.default_rng(i).random(1_003, np.float32) for i in range(4)]
    arrays = [array.copy() for array in before]
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        memory_wall(arrays, pool, threads)()
    param, grad, exp_avg, exp_avg_sq = before
    for found, expected in zip(arrays, (-param, grad, -exp_avg, exp_avg_sq + grad), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_medians_of_samples():
    times = Times({"a": [1.0, 5.0, 8.0], "b": [2.0, 4.0, 2.0]})
    assert (times.median("a"), times.median("b"), times.ratio("a", "b")) == (5.0, 2.0, 1.25)


def test_samples_are_taken_in_turn():
    order = []
    steps = {name: (lambda name=name: order.append(name)) for name in "abc"}
    interleave(steps, 0.0)
    turns = [name for i, name in enumerate(order) if i == 0 or order[i - 1] != name]
    assert "".join(turns) == "abc" + "abcbabc"[: 3 * FEWEST_ROUNDS]
