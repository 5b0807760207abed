"""Names: unknown ones are refused with a hint; public ones say where users find them, also in a pickle."""

import copy
import inspect
import pickle
import pickletools

import numpy as np
import pytest
from variants import KINDS

import fastadam

F32 = np.float32
# Of which optimizer, an unknown name, and what is meant.
MEANT = [
    ("adam", "learning_rate", "lr"),
    ("adam", "alpha", "lr"),
    ("adam", "LR", "lr"),
    ("adam", "beta", "betas"),
    ("adam", "beta1", "betas"),
    ("adam", "beta_2", "betas"),
    ("adam", "epsilon", "eps"),
    ("adam", "amsgard", "amsgrad"),
    ("adamw", "wd", "weight_decay"),
    ("adamw", "decay", "weight_decay"),
    ("adamw", "weightdecay", "weight_decay"),
    ("rmsprop", "rho", "alpha"),
    ("sgd", "momentun", "momentum"),
    ("nadam", "decoupled", "decoupled_weight_decay"),
    ("lion", "momentum", "betas"),
]
OWN = ["foreach", "param", "_step", "x"]  # like nothing


def new(cls=fastadam.Adam, **hyperparameters):
    return cls(np.ones(2, F32), **hyperparameters)


class Subclass(fastadam.Adam):
    """With attributes of its own, one from before it is an optimizer."""

    __slots__ = ("slot",)

    def __init__(self, params):
        self.lrs = []
        super().__init__(params, lr=0.5)
        self.history = {"loss": [1.0]}
        self._private = self.slot = 3


@pytest.mark.parametrize(("rule", "name", "known"), MEANT)
def test_a_hyperparameter_by_another_name_is_refused(rule, name, known):
    optimizer = new(KINDS[rule].cls)
    words = rf"{type(optimizer).__name__} has no attribute '{name}'; did you mean '{known}'\?"
    with pytest.raises(AttributeError, match=words):
        setattr(optimizer, name, 1.0)
    with pytest.raises(TypeError, match=rf"unexpected keyword argument '{name}'; did you mean '{known}'\?"):
        new(KINDS[rule].cls, **{name: 1.0})


@pytest.mark.parametrize("name", OWN)
def test_an_unknown_name_is_refused(name):
    with pytest.raises(AttributeError, match=rf"^Adam has no attribute '{name}'$"):
        setattr(new(), name, 1.0)
    with pytest.raises(TypeError, match=rf"Adam\(\) got an unexpected keyword argument '{name}'$"):
        new(**{name: 1.0})


OF_STEP = {
    **{name: name for name in ("grad_scale", "clip_value", "max_norm", "skip_nonfinite", "num_threads")},
    "max_grad_norm": "max_norm",
    "global_clipnorm": "max_norm",
    "clipvalue": "clip_value",
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize(("name", "option"), OF_STEP.items())
def test_an_option_of_step_is_not_one_of_the_optimizer(kind, name, option):
    words = rf"; it is an option of step: step\(grads, {option}=\.\.\.\)$"
    with pytest.raises(TypeError, match=rf"unexpected keyword argument '{name}'" + words):
        new(kind.cls, **{name: 1.0})
    with pytest.raises(AttributeError, match=rf"has no attribute '{name}'" + words):
        setattr(new(kind.cls), name, 1.0)
    assert option in inspect.signature(fastadam.Optimizer.step).parameters


METHODS = {"zero_grad": "keeps none of them", "apply_gradients": r"call step\(grads\)", "minimize": "gradients yourself"}


@pytest.mark.parametrize("cls", [fastadam.Adam, fastadam.SGD, Subclass])
@pytest.mark.parametrize(("name", "words"), METHODS.items())
def test_methods_of_other_libraries_say_what_to_do(cls, name, words):
    optimizer = cls(np.ones(2, F32))
    with pytest.raises(AttributeError, match=f"^{cls.__name__} has no attribute '{name}'; .*{words}"):
        getattr(optimizer, name)
    assert not hasattr(optimizer, name)
    assert not hasattr(cls, name)
    assert getattr(type("Own", (cls,), {name: 1})(np.ones(2, F32)), name) == 1


SPELT = {
    **{name.lower(): name for name in ("Adam", "SGD", "AdamW", "RMSprop", "NAdam", "RAdam", "Lion")},
    **{"RMSProp": "RMSprop", "AdaGrad": "Adagrad", "AdaMax": "Adamax", "Nadam": "NAdam", "ADAM": "Adam", "RAdaM": "RAdam"},
    **{"Sgd": "SGD", "rms_prop": "RMSprop", "Optimiser": "Optimizer", "global_norms": "global_norm", "Flatten": "flatten"},
}


@pytest.mark.parametrize(("name", "known"), SPELT.items())
def test_a_name_of_the_package_spelt_otherwise(name, known):
    with pytest.raises(AttributeError, match=rf"module 'fastadam' has no attribute '{name}'; did you mean '{known}'\?$"):
        getattr(fastadam, name)


@pytest.mark.parametrize("name", ["torchvision", "_hidden", "__wrapped__", "x"])
def test_a_name_like_no_other_of_the_package(name):
    with pytest.raises(AttributeError, match=rf"module 'fastadam' has no attribute '{name}'$"):
        getattr(fastadam, name)


def test_what_can_only_be_read_says_so():
    for name in ("state", "skipped_steps", "param_groups"):
        with pytest.raises(AttributeError):
            setattr(new(), name, 1.0)


@pytest.mark.parametrize("name", OWN)
def test_a_subclass_may_have_attributes(name):
    optimizer = Subclass(np.ones(2, F32))
    setattr(optimizer, name, 1.0)
    assert getattr(optimizer, name) == 1.0


@pytest.mark.parametrize(("name", "known"), [(name, known) for rule, name, known in MEANT if rule == "adam"])
def test_but_not_misspelt_hyperparameters(name, known):
    with pytest.raises(AttributeError, match=rf"Subclass has no attribute '{name}'; did you mean '{known}'\?"):
        setattr(Subclass(np.ones(2, F32)), name, 1.0)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda optimizer: pickle.loads(pickle.dumps(optimizer))])
def test_attributes_of_a_subclass_survive(duplicate):
    optimizer = Subclass(np.ones(2, F32))
    optimizer.step(np.ones(2, F32))
    other = duplicate(optimizer)
    assert (other.lrs, other.history, other._private, other.slot) == ([], {"loss": [1.0]}, 3, 3)
    assert other.history is not optimizer.history
    assert (other.lr, other.step_count, int(other.state["step"])) == (0.5, 1, 1)


def test_optimizer_itself_cannot_be_made():
    with pytest.raises(TypeError, match=r"create one of its subclasses, such as fastadam\.Adam"):
        fastadam.Optimizer(np.ones(2, F32))
    assert isinstance(new(), fastadam.Optimizer)
    assert isinstance(fastadam.Adam[np.ndarray](np.ones(2, F32)), fastadam.Adam)


@pytest.mark.parametrize("name", fastadam.__all__)
def test_public_names_are_of_the_package(name):
    value = getattr(fastadam, name)
    if callable(value):
        assert (value.__module__, value.__qualname__) == ("fastadam", name)
        assert pickle.loads(pickle.dumps(value)) is value


@pytest.mark.parametrize("name", fastadam.convert.__all__)
def test_converters_are_of_their_module(name):
    assert getattr(fastadam.convert, name).__module__ == "fastadam.convert"


@pytest.mark.parametrize("name", KINDS)
def test_a_pickle_names_the_class_alone(name):
    params = {"a": np.ones(2, F32), "b": np.ones(3, F32)}
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        parts = [part for _, part, _ in pickletools.genops(pickle.dumps(KINDS[name].cls(params), protocol))]
        ours = {part for part in parts if isinstance(part, str) and "fastadam" in part}
        assert ours <= {"fastadam", f"fastadam {KINDS[name].cls.__name__}"}
