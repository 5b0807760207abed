"""The optimizers: one file a rule, and what they share (hyperparameters, parameter groups, the step).

Here is what knows an optimizer as its user sees it. Memory is the backends' concern, saving and loading the state's.
"""
