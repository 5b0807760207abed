"""A step that stops at a gradient that is not finite names it, and changes nothing."""

import numpy as np
import pytest
from refusals import F32, everything, refuses, trained

import fastadam


def with_value(grads, which, element, value):
    grads = [grad.copy() for grad in grads]
    grads[which].flat[element] = value
    return grads


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("options", [{}, {"max_norm": 1.0}, {"clip_value": 0.5, "grad_scale": 0.25}], ids=str)
@pytest.mark.parametrize(("which", "element"), [(0, 0), (1, 5), (2, 3)])
def test_it_names_the_first_one_and_changes_nothing(value, options, which, element):
    optimizer, params, grads = trained()
    bad = with_value(with_value(grads, 2, 5, np.nan), which, element, value)
    words = (f"grads[{which}] is not finite", f"it has {value} at [{element}]", "nothing was changed", "skip_nonfinite=True")
    arrays = everything(optimizer, params)
    refuses(lambda: optimizer.step(bad, skip_nonfinite="raise", **options), FloatingPointError, words, arrays, optimizer)
    assert (optimizer.step_count, optimizer.skipped_steps) == (1, 0)


def test_it_is_named_as_the_user_names_it():
    optimizer = fastadam.Adam({"encoder": {"weight": np.ones((2, 3), F32)}, "bias": np.ones(2, F32)})
    grads = {"encoder": {"weight": np.ones((2, 3), F32)}, "bias": None}
    grads["encoder"]["weight"][1, 2] = np.inf
    with pytest.raises(FloatingPointError, match=r"grads\['encoder'\]\['weight'\] is not finite: it has inf at \[1, 2\]"):
        optimizer.step(grads, skip_nonfinite="raise")


def test_a_schedule_is_asked_again_for_the_step_that_was_not_taken():
    counts = []
    optimizer = fastadam.SGD(np.ones(2, F32), lr=lambda t: counts.append(t) or 0.5 / (t + 1))
    for grad, is_good in [([1, 1], True), ([np.nan, 1], False), ([1, 1], True)]:
        if is_good:
            optimizer.step(np.array(grad, F32), skip_nonfinite="raise")
        else:
            with pytest.raises(FloatingPointError):
                optimizer.step(np.array(grad, F32), skip_nonfinite="raise")
            assert optimizer.param_groups[0].current["lr"] == 0.5
    assert counts == [0, 1, 1]


def test_finite_gradients_give_what_skipping_gives():
    optimizer, params, grads = trained()
    twin, copies, _ = trained()
    assert optimizer.step(grads, skip_nonfinite="raise") == twin.step(grads, skip_nonfinite=True) == fastadam.global_norm(grads)
    for array, wanted in zip(everything(optimizer, params), everything(twin, copies), strict=True):
        assert array.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("capturable", [False, True])
def test_a_gpu_does_not_raise(device, capturable):
    param = device.upload(np.ones(3, F32))
    optimizer = fastadam.Adam(param, capturable=capturable)
    with pytest.raises(ValueError, match=r"skip_nonfinite is 'raise'.*on a GPU.*skipped_steps"):
        optimizer.step(device.upload(np.ones(3, F32)), skip_nonfinite="raise")
    assert optimizer.step_count == 0


@pytest.mark.parametrize("skip", [True, "raise"])
def test_gradients_are_judged_before_they_are_scaled(skip, isa):
    """As PyTorch's GradScaler does."""
    param, grad = np.zeros(3, F32), np.array([3e38, 1, -3e38], F32)
    optimizer = fastadam.SGD(param, lr=1.0)
    norm = optimizer.step(grad, grad_scale=4.0, skip_nonfinite=skip)
    assert norm == 4 * fastadam.global_norm(grad)
    assert (optimizer.step_count, optimizer.skipped_steps) == (1, 0)
    np.testing.assert_array_equal(param, np.array([-np.inf, -4, np.inf], F32))


def test_a_norm_that_is_known_decides_alone(isa):
    """Gradients are not read for it."""
    bad = np.array([1, np.nan, 1], F32)
    param = np.zeros(3, F32)
    optimizer = fastadam.SGD(param, lr=1.0)
    assert optimizer.step(bad, norm=2.0, skip_nonfinite="raise", max_norm=1.0) == 2.0
    np.testing.assert_array_equal(param, np.array([-0.5, np.nan, -0.5], F32))
    for norm in (np.nan, np.inf):
        np.testing.assert_equal(optimizer.step(np.ones(3, F32), norm=norm, skip_nonfinite=True), norm)
    assert (optimizer.step_count, optimizer.skipped_steps) == (3, 2)


@pytest.mark.parametrize("norm", [np.nan, np.inf])
def test_a_norm_that_is_known_to_be_bad_may_come_from_elsewhere(norm):
    optimizer, params, grads = trained()
    arrays = everything(optimizer, params)
    for bad, words in (
        (grads, ("norm is not finite", "another process")),
        (with_value(grads, 1, 2, norm), ("grads[1] is not",)),
    ):
        refuses(
            lambda bad=bad: optimizer.step(bad, norm=norm, skip_nonfinite="raise"), FloatingPointError, words, arrays, optimizer
        )
