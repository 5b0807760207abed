"""Instruction sets, thread counts and build information; what the environment chooses."""

import math
import os
from pathlib import Path

import pytest

import fastadam
from fastadam import _native
from fastadam import cpu_count as cpus

PRINT_ISA = "import fastadam; print(fastadam.active_isa())"
PRINT_THREADS = "import fastadam; print(fastadam.get_num_threads())"

# What the x86-64 psABI asks of each level, in the names of Linux's /proc/cpuinfo.
LEVELS = {
    "x86-64": set(),
    "x86-64-v3": {
        "cx16",
        "lahf_lm",
        "popcnt",
        "pni",
        "sse4_1",
        "sse4_2",
        "ssse3",
        "avx",
        "avx2",
        "bmi1",
        "bmi2",
        "f16c",
        "fma",
        "abm",
        "movbe",
        "xsave",
    },
    "x86-64-v4": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
}


def test_best_available_isa_is_active(run_python):
    assert fastadam.available_isas()[-1] == fastadam.build_info()["isas"][-1]
    assert run_python(PRINT_ISA, FASTADAM_ISA=None) == fastadam.available_isas()[0]


@pytest.mark.parametrize("name", fastadam.available_isas())
def test_environment_forces_an_isa(run_python, name):
    assert run_python(PRINT_ISA, FASTADAM_ISA=name) == name


@pytest.mark.parametrize("name", ["avx9", "X86-64", *sorted({*fastadam.build_info()["isas"]} - {*fastadam.available_isas()})])
def test_unusable_isa_is_refused_with_what_would_work(run_python, name):
    result = run_python(PRINT_ISA, check=False, FASTADAM_ISA=name)
    assert result.returncode != 0
    assert f"FASTADAM_ISA is '{name}'" in result.stderr
    assert all(f"'{choice}'" in result.stderr for choice in fastadam.available_isas())


@pytest.mark.skipif("FASTADAM_TEST_EMULATOR" in os.environ, reason="Linux tells of the real CPU")
def test_available_isas_agree_with_the_kernel_of_linux():
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists() or "x86-64" not in fastadam.available_isas():
        pytest.skip("compares with /proc/cpuinfo of Linux on x86-64")
    found = next(set(line.split()) for line in cpuinfo.read_text().splitlines() if line.startswith("flags"))
    supported = [name for name in fastadam.build_info()["isas"] if all(LEVELS[n] <= found for n in LEVELS if n <= name)]
    assert fastadam.available_isas() == supported


def test_set_num_threads():
    before = fastadam.get_num_threads()
    try:
        fastadam.set_num_threads(3)
        assert fastadam.get_num_threads() in (1, 3)  # 1 without OpenMP
        assert fastadam.get_num_threads() == (1 if fastadam.build_info()["openmp"] == "none" else 3)
    finally:
        fastadam.set_num_threads(before)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"FASTADAM_NUM_THREADS": "3", "OMP_NUM_THREADS": "2"}, 3),
        ({"OMP_NUM_THREADS": "2,4"}, 2),
        ({"OMP_NUM_THREADS": "rubbish"}, 7),
        ({"OMP_NUM_THREADS": "65535"}, 65535),
        ({"OMP_NUM_THREADS": "65536"}, 7),
        ({"OMP_NUM_THREADS": " 003 ,4"}, 3),
        *[({"OMP_NUM_THREADS": text}, 7) for text in ("", "0", "-1", "+", ",", "2x", "1.5", "\u00b2", "9" * 20, "9" * 5000)],
        ({}, 7),
    ],
)
def test_threads_that_the_environment_asks_for(environ, expected):
    assert _native.threads_asked(environ.get("FASTADAM_NUM_THREADS"), environ.get("OMP_NUM_THREADS"), 7) == expected


@pytest.mark.parametrize(("quota", "expected"), [(math.inf, 5), (8.0, 5), (2.5, 3), (0.5, 1)])
def test_usable_cpus(monkeypatch, quota, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 4, 9}, raising=False)
    monkeypatch.setattr(cpus, "cgroup_quota", lambda: quota)
    assert cpus.usable_cpus() == expected
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert cpus.usable_cpus() == expected


def test_usable_cpus_is_the_default(run_python):
    """The package asks for it when it is imported."""
    program = f"import os; os.cpu_count = lambda: 5; os.sched_getaffinity = lambda pid: range(5); {PRINT_THREADS}"
    found = int(run_python(program, FASTADAM_NUM_THREADS=None, OMP_NUM_THREADS=None))
    no_threads = fastadam.build_info()["openmp"] == "none"
    assert found == (1 if no_threads else min(5, math.ceil(min(5, cpus.cgroup_quota()))))


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "65536", "\u00b2", "9" * 100, "9" * 5000])
def test_bad_thread_count_in_the_environment_is_refused(text):
    with pytest.raises(ValueError, match=r"FASTADAM_NUM_THREADS is .*expected an integer from 1 to 65535, or unset it"):
        _native.threads_asked(text, None, 7)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no CPU affinity")
def test_default_num_threads_respects_affinity(run_python):
    program = f"import os; os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}}); {PRINT_THREADS}"
    assert run_python(program, FASTADAM_NUM_THREADS=None, OMP_NUM_THREADS=None) == "1"


@pytest.mark.parametrize(
    ("membership", "files", "quota"),
    [
        ("0::/", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/", {"cpu.max": "max 100000"}, math.inf),
        ("0::/a/b", {"a/cpu.max": "200000 100000", "a/b/cpu.max": "400000 100000"}, 2),
        ("0::/a/b", {"a/cpu.max": "max 100000", "a/b/cpu.max": "400000 100000"}, 4),
        ("4:cpu,cpuacct:/a", {"cpu/a/cpu.cfs_quota_us": "300000", "cpu/a/cpu.cfs_period_us": "100000"}, 3),
        ("4:cpu,cpuacct:/a", {"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"}, math.inf),
        ("5:memory:/a", {"cpu.max": "100000 100000"}, math.inf),
        ("0::/gone", {}, math.inf),
    ],
)
def test_cgroup_quota(tmp_path, membership, files, quota):
    (tmp_path / "cgroup").write_text(membership + "\n")
    for name, text in files.items():
        file = tmp_path / "fs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    assert cpus.cgroup_quota(tmp_path / "cgroup", tmp_path / "fs") == quota


def test_no_cgroups_means_no_quota(tmp_path):
    assert cpus.cgroup_quota(tmp_path / "missing", tmp_path) == math.inf
