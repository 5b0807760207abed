"""Drop-in replacements for the optimizers of ``torch.optim``, which step tensors with this package's kernels.

Each class is a subclass of torch's class of the same name; only its step is another, and options
of this package's are added. Needs PyTorch, as nothing else here does, and CuPy for tensors on a GPU.
"""

from fastadam.torch.classes import SGD, Adagrad, Adam, Adamax, AdamW, Lion, NAdam, RAdam, RMSprop
from fastadam.torch.in_backward import step_in_backward

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "NAdam", "RAdam", "RMSprop", "step_in_backward"]

for _name in __all__:
    globals()[_name].__module__ = "fastadam.torch"
