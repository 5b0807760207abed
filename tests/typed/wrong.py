"""A user's program that is wrong where it says so: test_typing.py expects errors of a type checker on these lines alone."""

import numpy as np

import fastadam

one = np.zeros(3, np.float32)
adam = fastadam.Adam(one)
adam.lr = "fast"  # wrong
adam.betas = 0.9  # wrong
adam.maximize = "yes"  # wrong
adam.ema_decay = (0.5,)  # wrong
adam.learning_rate = 0.1  # wrong
adam.state = {}  # wrong
adam.step([one])  # wrong
adam.step(one, one)  # wrong
adam.step(one, max_norm="large")  # wrong
adam.step(one, norm="1")  # wrong
adam.step(one, norms=1.0)  # wrong
adam.eps = [1e-8]  # wrong

named = fastadam.Adam({"weight": one})
named.step([one])  # wrong
named.step({1: one})  # wrong
named.state[1]  # wrong

nested = fastadam.Adam({"encoder": {"weight": one}})
nested.step({"encoder": one})  # wrong
nested.step([one])  # wrong

adam.step_count = "5"  # wrong
adam.param_groups[0].current["lr"] = 0.1  # wrong
adam.param_groups["lr"]  # wrong

listed = fastadam.SGD([one], momentum=lambda step: 0.9)
listed.step({"weight": one})  # wrong
listed.state["momentum_buffer"]  # wrong

fastadam.Adam(3)  # wrong
fastadam.Adam(one, lr="fast")  # wrong
fastadam.Adam(one, betas=(0.9, 0.99, 0.999))  # wrong
fastadam.Adam(one, learning_rate=0.1)  # wrong
fastadam.adam_step(one, one, one, None, step=1)  # wrong
fastadam.flatten({"weight": one})[1][0]  # wrong
fastadam.global_norm("grads")  # wrong
