"""The backends, which step arrays on the CPU or on a GPU.

``protocol.py`` defines their interface and ``dispatch.py`` chooses one. Nothing here depends on a particular optimizer or
hyperparameter.
"""
