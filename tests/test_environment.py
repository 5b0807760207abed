"""What surrounds the process when it imports the package: OpenMP's variables, and sub-interpreters."""

import os

import pytest

import fastadam

has_openmp = pytest.mark.skipif(fastadam.build_info()["openmp"] == "none", reason="this build has no OpenMP")

VARIABLES = ("FASTADAM_NUM_THREADS", "OMP_NUM_THREADS", "OMP_PROC_BIND", "OMP_PLACES", "OMP_THREAD_LIMIT", "GOMP_CPU_AFFINITY")
UNSET = dict.fromkeys(VARIABLES)

# Prints the number of threads, and whether steps on them give the bits of a step on one.
PROGRAM = """
import numpy as np
import fastadam

def stepped(**options):
    param = np.ones(300_001, np.float32)
    fastadam.Adam(param).step(np.ones_like(param), **options)
    return param.tobytes()

print(fastadam.get_num_threads(), {stepped(), stepped(num_threads=3)} == {stepped(num_threads=1)})
"""

# With the outermost number where OpenMP takes one. "3x" and "2147483648" are not numbers to it.
NUMBERS = {"3": 3, " 3 ": 3, "3,2": 3, "003": 3, "65535": 65535}
NO_NUMBERS = [
    *("", " ", ",", "0", "-1", "two", "3x", "3 x", "1.5", "0x3", "1e3", "65536", "2147483647", "2147483648", "4294967297"),
    *("9" * 30, "9" * 5000, "\u00b2", "\u0663x", "\udcff"),
]


@pytest.fixture(scope="module")
def cpus():
    """How many threads there are without any variable."""
    from fastadam import cpu_count

    return cpu_count.usable_cpus() if fastadam.build_info()["openmp"] != "none" else 1


@has_openmp
@pytest.mark.parametrize(("text", "expected"), [*NUMBERS.items(), *((text, None) for text in NO_NUMBERS)])
def test_no_text_of_omp_num_threads_stops_the_import(run_python, cpus, text, expected):
    program = PROGRAM if expected != 65535 else "import fastadam; print(fastadam.get_num_threads(), True)"
    assert run_python(program, **UNSET | {"OMP_NUM_THREADS": text}) == f"{expected or cpus} True"


@has_openmp
@pytest.mark.parametrize("text", ["3x", "2147483647", "2147483648", "4294967297", "9" * 5000, "two"])
def test_text_that_openmp_ignores_does_not_limit_the_threads(run_python, cpus, text):
    program = "import fastadam; fastadam.set_num_threads(50); print(fastadam.get_num_threads())"
    assert run_python(program, **UNSET | {"OMP_NUM_THREADS": text}) == "50"


@has_openmp
@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no CPU affinity")
@pytest.mark.parametrize(
    "environ",
    [
        *[{"OMP_PROC_BIND": kind} for kind in ("true", "close", "spread", "master", "primary", "false", "rubbish")],
        *[{"OMP_PLACES": places} for places in ("threads", "cores", "sockets", "rubbish")],
        {"OMP_PROC_BIND": "close", "OMP_PLACES": "threads"},
        {"GOMP_CPU_AFFINITY": " ".join(map(str, sorted(getattr(os, "sched_getaffinity", lambda pid: [0])(0))))},
        {"GOMP_CPU_AFFINITY": "rubbish"},
    ],
    ids=str,
)
def test_the_cpus_are_counted_before_openmp_binds_this_thread(run_python, cpus, environ):
    assert run_python(PROGRAM, **UNSET | environ) == f"{cpus} True"


@has_openmp
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_the_thread_limit_of_openmp_is_reported(run_python, cpus, limit):
    environ = UNSET | {"OMP_THREAD_LIMIT": str(limit)}
    assert run_python(PROGRAM, **environ) == f"{min(limit, cpus)} True"
    assert run_python(PROGRAM, **environ | {"FASTADAM_NUM_THREADS": "7"}) == f"{limit} True"
    assert run_python(f"import fastadam; fastadam.set_num_threads(7){PROGRAM}", **environ) == f"{limit} True"


IN_A_SUB_INTERPRETER = """
import sys
try:
    import _interpreters as interpreters
    run, configurations = interpreters.exec, [("isolated",), ("legacy",)]
except ImportError:
    import _xxsubinterpreters as interpreters
    run, configurations = interpreters.run_string, [()]

def attempt():
    for configuration in configurations:
        run(interpreters.create(*configuration), '''
try:
    import fastadam
except ImportError as error:
    print("refused:", error, flush=True)
''')
"""


@pytest.mark.parametrize("first", [False, True])
def test_a_sub_interpreter_is_refused(run_python, first):
    """At once, and whether or not the main interpreter has imported the package."""
    steps = "import fastadam; " if first else ""
    program = f"{steps}{IN_A_SUB_INTERPRETER}\nattempt()\n{PROGRAM}"
    *refusals, last = run_python(program, timeout=60).splitlines()
    assert last.endswith(" True")  # the main interpreter can still import it
    assert refusals
    for refusal in refusals:
        assert "sub-interpreter" in refusal or "does not support loading in subinterpreters" in refusal


def test_what_a_broken_module_says_is_not_hidden(run_python):
    """Only a missing module is a missing build."""
    program = """
import sys, types

class Broken:
    def find_spec(self, name, path=None, target=None):
        if name == "fastadam._native":
            raise ImportError("libgomp.so.1: cannot open shared object file")

sys.meta_path.insert(0, Broken())
import fastadam
"""
    result = run_python(program, check=False)
    assert result.stderr.strip().splitlines()[-1] == "ImportError: libgomp.so.1: cannot open shared object file"
    missing = run_python(program.replace("ImportError(", "ModuleNotFoundError("), check=False)
    assert "fastadam's compiled module is missing" in missing.stderr
