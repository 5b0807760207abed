"""Every combination of Adam's options, and hyperparameters of each kind, for the tests that compare bits."""

import itertools

import fastadam

OPTIONS = [
    {"amsgrad": amsgrad, "maximize": maximize, **decay}
    for amsgrad, maximize, decay in itertools.product(
        [False, True],
        [False, True],
        [{}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
    )
]
HYPERPARAMETERS = [
    {"step": 1},
    {"step": 2},
    {"step": 3, "lr": 0.1, "eps": 0.0},
    {"step": 1000},
    {"step": 100_000, "eps": 1e-3},
    {"step": 1, "betas": (0.0, 0.999)},
    {"step": 2, "betas": (0.9, 0.0)},
    {"step": 3, "betas": (0.0, 0.0)},
    {"step": 1000, "betas": (0.5, 0.9999)},
]


def describe(options):
    """A name for a combination of options."""
    return "-".join(name for name, value in options.items() if value) or "plain"


def state_count(options):
    return 3 if options["amsgrad"] else 2


def stateless(options):
    """The options as arguments of adam_step, which tells AMSGrad by its third state."""
    return {name: value for name, value in options.items() if name != "amsgrad"}


def for_class(options):
    """The optimizer's class and its arguments for these options."""
    arguments = dict(options)
    decoupled = arguments.pop("decoupled_weight_decay", False)
    return (fastadam.AdamW if decoupled else fastadam.Adam), {"weight_decay": 0.0, **arguments}
