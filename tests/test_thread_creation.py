"""Where threads cannot be created, steps run on fewer or on one: OpenMP's libraries would end the process."""

import os
import sys

import pytest

import fastadam

pytestmark = [
    pytest.mark.skipif(fastadam.build_info()["openmp"] == "none", reason="this build has no OpenMP"),
    pytest.mark.skipif(sys.platform != "linux", reason="sets limits as Linux has them"),
    pytest.mark.skipif("FASTADAM_TEST_EMULATOR" in os.environ, reason="limits would be the emulator's"),
]

# Steps of sizes that use one to six threads, in any order, each against the same step on one thread.
STEPS = """
import os, resource, threading
import numpy as np
import fastadam
from fastadam import _native

_native.set_backs_off(False)
size = 6 * _native.grain()
params, grads = np.ones((2, 4, size), np.float32), np.ones((4, size), np.float32)
optimizers = [[fastadam.SGD(param[: size * part // 6], lr=0.5) for part in range(1, 7)] for param in params.reshape(8, size)]

def step(row, part, threads):
    optimizers[row][part - 1].step(grads[row % 4][: size * part // 6], num_threads=threads, max_norm=np.inf)

def walk(row, threads=6):
    for part in (2, 6, 3, 1, 6, 4, 5):
        step(row, part, threads)

def report():
    resource.setrlimit(resource.RLIMIT_AS, (resource.getrlimit(resource.RLIMIT_AS)[1],) * 2)
    for row in range(4):
        walk(4 + row, threads=1)
    print(params[0].tobytes() == params[1].tobytes())
"""
ALONE = "walk(0); walk(1); walk(2); walk(3); report()"
TOGETHER = """
threads = [threading.Thread(target=walk, args=(row,)) for row in range(4)]
for thread in threads: thread.start()
LIMIT
for thread in threads: thread.join()
report()
"""
UNLIMITED = {"OMP_STACKSIZE": None, "GOMP_STACKSIZE": None, "OMP_NUM_THREADS": None, "OMP_THREAD_LIMIT": None}
SIZES = [
    *(
        "200000G",
        " 200000 g ",
        "204800000m",
        "209715200000K",
        "209715200000",
        "214748364800000b",
        "100000G",
    ),  # beyond any address
    *("1G", "2M", "100k", "1", "0", "-1", "rubbish", "2Mx", "99999999999999999999G", "17179869184G", ""),
]


@pytest.mark.parametrize(
    ("variable", "text"),
    [*[("OMP_STACKSIZE", text) for text in SIZES], ("GOMP_STACKSIZE", "200000G"), ("GOMP_STACKSIZE", "1G")],
)
def test_stacks_of_any_size(run_python, variable, text):
    assert run_python(STEPS + ALONE, **UNLIMITED | {variable: text}) == "True"


@pytest.mark.parametrize("stack", [None, "64M", "1G"])
@pytest.mark.parametrize("room", [0, 1, 12, 100, 300, 2000])
def test_little_address_space(run_python, room, stack):
    """In MiB beyond what is used."""
    limit = f"""
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {room} * 2**20, resource.getrlimit(resource.RLIMIT_AS)[1]))
"""
    assert run_python(STEPS + limit + ALONE, **UNLIMITED | {"OMP_STACKSIZE": stack}) == "True"


def few_processes(count):
    """Limits this user, who is nobody if it was root, which has no limit."""
    return f"""
resource.setrlimit(resource.RLIMIT_NPROC, ({count}, {count}))
if os.getuid() == 0: os.setuid(65000 + os.getpid() % 500)
"""


@pytest.mark.parametrize("count", [1, 2, 4, 5, 6, 7, 8, 12])
def test_few_processes(run_python, count):
    """Threads count as processes."""
    assert run_python(STEPS + few_processes(count) + ALONE, **UNLIMITED) == "True"


@pytest.mark.parametrize("count", [1, 5, 8, 13, 20])
def test_few_processes_when_several_threads_step_at_once(run_python, count):
    """The room of one is not given to another."""
    program = STEPS + "start = threading.Event(); walked = walk\n"
    program += "def walk(row, **options): start.wait(); walked(row, **options)\n"
    program += TOGETHER.replace("LIMIT", few_processes(count) + "start.set()")
    for _ in range(2):
        assert run_python(program, **UNLIMITED) == "True"


def test_threads_are_used_again_once_there_is_room(run_python):
    """And all of them where there is room from the start."""
    program = (
        STEPS
        + """
import time
def count(): return len(os.listdir("/proc/self/task"))
soft, hard = resource.getrlimit(resource.RLIMIT_AS)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
before = count()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**20, hard))
step(0, 6, 6)
print(count() - before)
resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
step(1, 6, 6)
print(count() - before)
time.sleep(1.1)
step(2, 6, 6)
print(count() - before)
"""
    )
    assert run_python(program, **UNLIMITED).split() == ["0", "0", "5"]
