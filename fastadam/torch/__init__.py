"""Drop-in replacements for the optimizers of ``torch.optim``, which train PyTorch's tensors on the CPU with this package's kernels.

Each class is a subclass of torch's class of the same name, in its own file's words: only :meth:`step` is another. Needs PyTorch,
which nothing else in this package does.
"""

from fastadam.torch.classes import SGD, Adagrad, Adam, Adamax, AdamW, Lion, NAdam, RAdam, RMSprop

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "NAdam", "RAdam", "RMSprop"]

for _name in __all__:
    globals()[_name].__module__ = "fastadam.torch"
