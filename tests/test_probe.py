"""What rules may have that no existing rule has: four states, which start as zeros, a value or a copy of the parameter.

tests/vectors/probe.hpp is such a rule, built into the library beside the others.
"""

import subprocess

import numpy as np
import pytest

F32 = np.float32
SIZE = 1001

pytestmark = pytest.mark.xdist_group("native_build")  # which is made once


def test_a_rule_of_four_states_in_c(native_build):
    result = subprocess.run([native_build("x86_64").folder / "probe"], capture_output=True)
    assert result.returncode == 0, result.stderr.decode()
    begun, ended = np.split(np.frombuffer(result.stdout, F32).reshape(-1, SIZE), [4])
    param, grad = np.arange(SIZE, dtype=F32) / 8, (np.arange(SIZE) % 7 - 3).astype(F32)
    states = [np.zeros(SIZE, F32), np.full(SIZE, 0.75, F32), param.copy(), np.zeros(SIZE, F32)]
    assert begun.tobytes() == np.array(states).tobytes()
    for _ in range(3):
        states[0] = states[0] + grad
        states[1] = states[1] * grad
        states[3] = param - states[2]
        param = param - F32(0.25) * (states[0] + states[1])
    assert ended.tobytes() == np.array([param, *states]).tobytes()
