"""What steps arrays, by where they live: the CPU's memory or a GPU's.

``protocol.py`` says what a backend offers and ``dispatch.py`` picks one. Nothing here knows an optimizer or a hyperparameter.
"""
