"""Copies and pickles of optimizers with their arrays, which CuPy copies and pickles."""

import copy
import pickle

import pytest
from twins import Twins
from variants import ONE_OF_EACH

pytestmark = pytest.mark.gpu

SIZES = [[5, 0, 300, 70_001], [9], [1, 2, 3_000_000]]


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))], ids=["copy", "pickle"])
@pytest.mark.parametrize("capturable", [False, True], ids=["eager", "capturable"])
def test_copies_and_pickles(device, duplicate, capturable):
    twins = Twins(device, SIZES, ONE_OF_EACH[0].make, capturable=capturable)
    for t in range(4):
        if t == 2:
            twins.gpu, twins.on_gpu = duplicate((twins.gpu, twins.on_gpu))
        twins.step()
    twins.assert_same()
