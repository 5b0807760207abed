"""Trains a policy to balance a pole, on the CPU with PyTorch, and prints how long the optimizer took: torch's, then fastadam's.

Run it with torch installed: python examples/policy_gradient.py [--updates 100]
"""

import argparse
import math
import time

import torch

import fastadam.torch

POLES, STEPS = 32, 60
COMPARED, CLOSE = 10, 1e-4  # updates whose losses are compared; rounding may make a later action another one
OPTIMIZERS = {"torch.optim.AdamW": torch.optim.AdamW, "fastadam.torch.AdamW": fastadam.torch.AdamW}


def policy():
    """A network from the state of a pole to the logits of pushing left and right."""
    layers = [torch.nn.Linear(4, 32), *(torch.nn.Linear(32, 32) for _ in range(4)), torch.nn.Linear(32, 2)]
    return torch.nn.Sequential(*(part for layer in layers for part in (layer, torch.nn.Tanh())))


def move(state, force):
    """A time step of 0.02 s of poles on carts: position, speed, angle and angular speed of each (Barto et al., 1983)."""
    position, speed, angle, turning = state.unbind(1)
    push = (force + 0.05 * turning**2 * angle.sin()) / 1.1
    turn = (9.8 * angle.sin() - angle.cos() * push) / (0.5 * (4 / 3 - 0.1 * angle.cos() ** 2 / 1.1))
    accelerate = push - 0.05 * turn * angle.cos() / 1.1
    return torch.stack([position + 0.02 * speed, speed + 0.02 * accelerate, angle + 0.02 * turning, turning + 0.02 * turn], 1)


def episode(model):
    """REINFORCE, with the mean as baseline, over one episode. Returns the loss and how many steps the poles stayed up."""
    state, up, scores, rewards = 0.05 * torch.randn(POLES, 4), torch.ones(POLES), [], []
    for _ in range(STEPS):
        choice = torch.distributions.Categorical(logits=4 * model(state))
        action = choice.sample()
        scores.append(choice.log_prob(action) * up)
        state = move(state, 20.0 * action - 10.0)
        up = up * (state[:, 2].abs() < 12 * math.pi / 180)
        rewards.append(up)
    returns = torch.stack(rewards).flip(0).cumsum(0).flip(0)
    advantage = (returns - returns.mean(1, keepdim=True)) / returns.std()
    return -(torch.stack(scores) * advantage).mean(), torch.stack(rewards).sum(0).mean().item()


def train(optimizer_class, updates):
    """Returns the losses, how many steps poles stayed up at last, the seconds, and the optimizer's seconds."""
    torch.manual_seed(0)
    model = policy()
    optimizer = optimizer_class(model.parameters(), lr=3e-3)
    losses, lasted, begin, spent = [], 0.0, time.perf_counter(), 0.0
    for _ in range(updates):
        optimizer.zero_grad()
        loss, lasted = episode(model)
        loss.backward()
        before = time.perf_counter()
        optimizer.step()
        spent += time.perf_counter() - before
        losses.append(loss.item())
    return losses, lasted, time.perf_counter() - begin, spent


def main():
    """Train with each optimizer and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=100)
    updates = parser.parse_args().updates
    torch.set_num_threads(1)
    runs = []
    for name, optimizer_class in OPTIMIZERS.items():
        losses, lasted, seconds, spent = train(optimizer_class, updates)
        runs.append(losses)
        print(
            f"{name:21} {lasted:4.1f} of {STEPS} steps up; {seconds:.2f} s, of which the optimizer {1e3 * spent:.1f} ms "
            f"({1e6 * spent / updates:.0f} µs a step, {100 * spent / seconds:.1f} %)"
        )
    pairs = [*zip(*runs, strict=True)][:COMPARED]
    assert all(abs(one - other) < CLOSE for one, other in pairs), f"the losses of the first {COMPARED} updates differ"


if __name__ == "__main__":
    main()
