"""Where Adam fails: small versions of the programs, and the results on the page, show what is claimed."""

import re
from pathlib import Path

import numpy as np
import pytest
from gallery_programs import gallery_module

import fastadam

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "when-adam-fails.md"


def exchanged(results, one, other):
    return results | {one: results[other], other: results[one]}


# By program: what makes of its results those that would refute it.
REFUTED = {
    "fails_online": lambda games: exchanged(games, "Adam", "AMSGrad"),
    "fails_weight_decay": lambda result: result._replace(units=exchanged(result.units, "AdamW", "Adam with L2")),
    "fails_late": lambda trainings: exchanged(trainings, "β₂ = 0.9", "β₂ = 0.9, eps = 1e-4"),
    "fails_sparse": lambda trainings: exchanged(trainings, (0.9999, 0.01, True), (0.9999, 0.01, False)),
    "fails_generalization": lambda result: result._replace(error=exchanged(result.error, "Adam", "SGD")),
}
# By claim: what is measured, and values that would refute the claim. Times are not judged in the small version.
REFUTED_CLAIMS = {
    "Simple": {"difference": 0.1},
    "Efficient": {"passes": {"SGD": 2.0, "Adam": 7.5}, "share": 0.1, "is_judged": True},
    "Memory": {"bytes": {"SGD": 0, "momentum": 4, "AdaGrad": 4, "Adam": 12, "AMSGrad": 12}},
    "Invariant": {"same_bits": False},
    "Large": {"passes": [4.0, 4.0, 3.0, 3.0, 4.0, 6.5], "is_judged": True},
    "NonStationary": {"growth": {"SGD": 1.0, "AdaGrad": 3.0, "Adam": 3.0}},
    "NoisyOrSparse": {"losses": {"noisy": {"Adam": 2.0, "SGD": 1.0}, "sparse": {"Adam": 0.1, "SGD": 1.0, "momentum": 1.0}}},
    "LittleTuning": {"everywhere": {"Adam": [], "momentum": []}},
}


def run_small(name, folder):
    """Run a program, and look at all that it gives. Returns its module and its results."""
    module, lab = gallery_module(name), gallery_module("lab.program")
    result = module.run(lab.Settings(small=True))
    module.check(result)
    lab.save(module.figure(result), folder / "figure.svg")
    assert (folder / "figure.svg").stat().st_size < 150_000
    assert module.summary(result)
    return module, result


@pytest.mark.parametrize("name", REFUTED)
def test_program_shows_what_it_says(name, tmp_path):
    module, result = run_small(name, tmp_path)
    with pytest.raises(AssertionError):
        module.check(REFUTED[name](result))


def test_claims_have_the_verdicts_that_are_told(tmp_path):
    module, claims = run_small("claims", tmp_path)
    assert {type(claim).__name__ for claim in claims} == set(REFUTED_CLAIMS)
    for claim in claims:
        refuted = REFUTED_CLAIMS[type(claim).__name__]
        measured = vars(claim).copy()
        assert all(type(measured[name]) is type(value) for name, value in refuted.items())
        vars(claim).update(refuted)
        with pytest.raises(AssertionError):
            module.check(claims)
        if "is_judged" in refuted:
            assert f"{claim.words}: does not hold here" in module.summary(claims)
        vars(claim).update(measured)


def test_players_step_as_the_reference_does():
    online = gallery_module("fails_online")
    blocks = 3
    for name, make in online.METHODS.items():
        game = online.play(make, blocks, players=0, seed=0, progress=online.tqdm(disable=True))
        x, moments = np.full(1, -1, np.float32), np.zeros((2, 1), np.float32)
        largest = np.zeros(1, np.float32) if name == "AMSGrad" else None
        betas = (0.9, 0.9999) if name == online.LONG else (0.9, 0.99)
        for step in range(blocks * 101):
            block, i = divmod(step, 101)
            gradient = np.full(1, 1010 if i == 0 else -10, np.float32)
            lr = 3 / np.sqrt(block * 101 + 1)
            fastadam.reference.adam_step(x, gradient, *moments, largest, step=step + 1, lr=lr, betas=betas)
            np.clip(x, -1, 1, out=x)
            if i == 100:
                assert game.x[block] == x[0]


def test_page_shows_every_program():
    if not PAGE.exists():
        pytest.skip("needs the source tree")
    programs = {path.stem for path in (ROOT / "examples").glob("fails_*.py")} | {"claims"}
    assert set(re.findall(r"\(figures/(\w+)\.svg", PAGE.read_text())) == programs
    assert set(re.findall(r"`python examples/(\w+)\.py`", PAGE.read_text())) == programs
