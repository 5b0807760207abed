"""Bad arguments of a stateless step, thread counts, and optimizers whose arrays changed under them, are refused."""

from collections.abc import Sequence

import numpy as np
import pytest
from refusals import F32, everything, read_only, refuses, step_arguments, trained

import fastadam

# A value that does not fit, and what its check says; all that the checks refuse is in test_checks.py.
BAD_OPTIONS = [
    *[(name, -1.0, ValueError, "expected a finite number >= 0") for name in ("lr", "eps", "weight_decay")],
    ("betas", (0.9, 0.99, 0.999), TypeError, "expected a pair of numbers in [0, 1)"),
    ("betas", [0.9, 1.0], ValueError, "expected a number in [0, 1)"),  # a list, which is not remembered
    *[(name, 1, TypeError, "expected True or False") for name in ("maximize", "decoupled_weight_decay")],
]


@pytest.mark.parametrize(("name", "value", "error", "words"), BAD_OPTIONS)
def test_adam_step_refuses_a_bad_hyperparameter(name, value, error, words):
    args = step_arguments()
    refuses(lambda: fastadam.adam_step(**args, step=1, **{name: value}), error, (name, words), args.values())


@pytest.mark.parametrize("name", ["maximize", "decoupled_weight_decay"])
@pytest.mark.parametrize("truth", [False, True])
def test_a_good_value_does_not_make_an_equal_bad_one_good(name, truth):
    """1 == True, and checked options are remembered."""
    args, bad = step_arguments(), int(truth)
    fastadam.adam_step(**step_arguments(), step=1, **{name: truth})
    words = (f"{name} is {bad!r}", "expected")
    refuses(lambda: fastadam.adam_step(**args, step=1, **{name: bad}), TypeError, words, args.values())


def test_unknown_keywords_are_refused():
    args = step_arguments()
    refuses(lambda: fastadam.adam_step(**args, step=1, beta1=0.9), TypeError, ("adam_step", "beta1"), args.values())
    refuses(lambda: fastadam.adam_step(**args), TypeError, ("adam_step", "step"), args.values())
    optimizer, params, grads = trained()
    refuses(lambda: optimizer.step(grads, closure=None), TypeError, ("closure",), everything(optimizer, params), optimizer)


@pytest.mark.parametrize(("step", "error"), [(0, ValueError), (2**63, ValueError), (1.0, TypeError)])
def test_adam_step_refuses_a_bad_step(step, error):
    args = step_arguments()
    refuses(lambda: fastadam.adam_step(**args, step=step), error, (f"step is {step!r}", "at least 1"), args.values())


@pytest.mark.parametrize(
    ("threads", "error"),
    [(0, ValueError), (-1, ValueError), (2**16, ValueError), (2**70, ValueError), (1.5, TypeError), ("2", TypeError)],
)
def test_bad_thread_counts_are_refused(threads, error):
    args = step_arguments()
    optimizer, params, grads = trained()
    words = (f"num_threads is {threads!r}", "expected an integer")
    before = fastadam.get_num_threads()
    refuses(lambda: fastadam.adam_step(**args, step=1, num_threads=threads), error, words, args.values())
    refuses(lambda: optimizer.step(grads, num_threads=threads), error, words, everything(optimizer, params), optimizer)
    refuses(lambda: fastadam.set_num_threads(threads), error, words, [])
    assert fastadam.get_num_threads() == before


MASKED = {
    "constant": np.ma.masked,
    "float": np.ma.array(0.5, mask=True),
    "integer": np.ma.array(1, mask=True),
    "bool": np.ma.array(True, mask=True),
    "pair": np.ma.array([0.5, 0.5], mask=[False, True]),
}
TAKE_NUMBERS = {
    "lr": lambda adam, grads, value: setattr(adam, "lr", value),
    "betas": lambda adam, grads, value: setattr(adam, "betas", (0.5, value)),
    "all betas": lambda adam, grads, value: setattr(adam, "betas", value),
    "amsgrad": lambda adam, grads, value: fastadam.Adam(np.ones(3, F32), amsgrad=value),
    "a constructor": lambda adam, grads, value: fastadam.Adam(np.ones(3, F32), lr=value),
    "a schedule": lambda adam, grads, value: fastadam.Adam(np.ones(3, F32), lr=lambda t: value).step(np.ones(3, F32)),
    "a schedule of pairs": lambda adam, grads, value: fastadam.Adam(np.ones(3, F32), betas=(lambda t: (0.5, value), 0.5)).step(
        np.ones(3, F32)
    ),
    "adam_step": lambda adam, grads, value: fastadam.adam_step(**step_arguments(), step=value),
    "lr of adam_step": lambda adam, grads, value: fastadam.adam_step(**step_arguments(), step=1, lr=value),
    "grad_scale": lambda adam, grads, value: adam.step(grads, grad_scale=value),
    "clip_value": lambda adam, grads, value: adam.step(grads, clip_value=value),
    "max_norm": lambda adam, grads, value: adam.step(grads, max_norm=value),
    "skip_nonfinite": lambda adam, grads, value: adam.step(grads, skip_nonfinite=value),
    "num_threads": lambda adam, grads, value: adam.step(grads, num_threads=value),
    "set_num_threads": lambda adam, grads, value: fastadam.set_num_threads(value),
    "step_count": lambda adam, grads, value: setattr(adam, "step_count", value),
    "a state dict": lambda adam, grads, value: adam.load_state_dict(adam.state_dict() | {"step_count": value}),
}


@pytest.mark.parametrize("taking", TAKE_NUMBERS)
@pytest.mark.parametrize("number", MASKED)
def test_masked_numbers_are_refused(taking, number):
    """NumPy gives nan, or what lies under the mask."""
    optimizer, params, grads = trained()
    arrays = everything(optimizer, params)
    error = ValueError if taking == "a state dict" else TypeError  # which lists what does not fit
    call = TAKE_NUMBERS[taking]
    refuses(lambda: call(optimizer, grads, MASKED[number]), error, ("expected",), arrays, optimizer)


@pytest.mark.parametrize("count", [-1, -(2**63), 2**63 - 1])
def test_a_step_count_out_of_range_is_refused(count):
    optimizer, params, grads = trained()
    optimizer.state[2]["step"][...] = count  # the last one: nothing of the first may change
    words = ("step count of params[2]", "out of range", "0 to 2**63 - 2")
    refuses(lambda: optimizer.step(grads), ValueError, words, everything(optimizer, params), optimizer)


@pytest.mark.parametrize("name", ["params[2]", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"])
def test_arrays_made_read_only_later_are_refused(name):
    optimizer, params, grads = trained()
    read_only(params[2] if name == "params[2]" else optimizer.state[2][name])
    words = (name, "read-only", "writeable")
    refuses(lambda: optimizer.step(grads), ValueError, words, everything(optimizer, params), optimizer)


@pytest.mark.parametrize("size", [1, 5, 7, 2**20])
def test_parameters_resized_later_are_refused(size):
    """Even where the allocator keeps the address: the kernel would write past the end of a smaller array."""
    optimizer, params, grads = trained()
    params[2].resize(size, refcheck=False)
    for grad in (np.ones(size, F32), grads[2]):
        members, arrays = [*grads[:2], grad], everything(optimizer, params)
        refuses(lambda members=members: optimizer.step(members), ValueError, ("params[2]",), arrays, optimizer)


@pytest.mark.parametrize("name", ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"])
def test_state_cannot_be_resized(name):
    optimizer, _, _ = trained()
    with pytest.raises(ValueError, match="cannot resize this array"):
        optimizer.state[2][name].resize(1, refcheck=False)


def test_gradients_made_on_demand_live_until_the_step_is_over():
    """A sequence may make each gradient when it is asked for, and keep none."""

    class OnDemand(Sequence):
        def __len__(self):
            return 8

        def __getitem__(self, i):
            return np.full(1000, 1 + range(8)[i], F32)

    params, twins = np.zeros((2, 8, 1000), F32)
    optimizer, twin = fastadam.Adam(list(params)), fastadam.Adam(list(twins))
    optimizer.step(OnDemand())
    twin.step(list(OnDemand()))
    for state, twin_state in zip(optimizer.state, twin.state, strict=True):
        np.testing.assert_array_equal(state["exp_avg"], twin_state["exp_avg"])


def test_environment_variables_that_do_not_fit_stop_the_import(run_python):
    """What does not fit is in test_runtime.py."""
    available = [repr(isa) for isa in fastadam.available_isas()]
    for variable, value, words in [
        ("FASTADAM_ISA", "x86-64-v3 ", ("'x86-64-v3 '", *available, "unset FASTADAM_ISA")),
        ("FASTADAM_NUM_THREADS", "65536", ("is '65536'", "expected an integer from 1 to 65535")),
    ]:
        result = run_python("import fastadam", check=False, **{variable: value})
        message = result.stderr.strip().splitlines()[-1]
        assert result.returncode == 1
        assert message.startswith("ValueError: "), message
        assert all(word in message for word in (variable, *words)), message
