"""Trains a policy to balance a pole, on the CPU with PyTorch, and prints how long the optimizer took: torch's, then fastadam's.

Run it with torch installed: python examples/policy_gradient.py [--updates 100]
"""

import argparse
import math
import time

import torch

import fastadam.torch

POLES, STEPS = 32, 60


def move(state, force):
    """A time step of 0.02 s of poles on carts: position, speed, angle and angular speed of each (Barto et al., 1983)."""
    position, speed, angle, turning = state.unbind(1)
    push = (force + 0.05 * turning**2 * angle.sin()) / 1.1
    turn = (9.8 * angle.sin() - angle.cos() * push) / (0.5 * (4 / 3 - 0.1 * angle.cos() ** 2 / 1.1))
    accelerate = push - 0.05 * turn * angle.cos() / 1.1
    return torch.stack([position + 0.02 * speed, speed + 0.02 * accelerate, angle + 0.02 * turning, turning + 0.02 * turn], 1)


def train(optimizer_class, updates):
    """REINFORCE with the mean as baseline. Returns how many steps poles stayed up, the seconds, and the optimizer's."""
    torch.manual_seed(0)
    layers = [torch.nn.Linear(4, 32), *(torch.nn.Linear(32, 32) for _ in range(4)), torch.nn.Linear(32, 2)]
    policy = torch.nn.Sequential(*(part for layer in layers for part in (layer, torch.nn.Tanh())))
    optimizer = optimizer_class(policy.parameters(), lr=3e-3)
    begin, spent, lasted = time.perf_counter(), 0.0, 0.0
    for _ in range(updates):
        state, up, scores, rewards = 0.05 * torch.randn(POLES, 4), torch.ones(POLES), [], []
        for _ in range(STEPS):
            choice = torch.distributions.Categorical(logits=4 * policy(state))
            action = choice.sample()
            scores.append(choice.log_prob(action) * up)
            state = move(state, 20.0 * action - 10.0)
            up = up * (state[:, 2].abs() < 12 * math.pi / 180)
            rewards.append(up)
        returns = torch.stack(rewards).flip(0).cumsum(0).flip(0)
        advantage = (returns - returns.mean(1, keepdim=True)) / returns.std()
        optimizer.zero_grad()
        (-(torch.stack(scores) * advantage).mean()).backward()
        before = time.perf_counter()
        optimizer.step()
        spent += time.perf_counter() - before
        lasted = torch.stack(rewards).sum(0).mean().item()
    return lasted, time.perf_counter() - begin, spent


def main():
    """Train with each optimizer and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=100)
    updates = parser.parse_args().updates
    torch.set_num_threads(1)
    for name, optimizer_class in (("torch.optim.AdamW", torch.optim.AdamW), ("fastadam.torch.AdamW", fastadam.torch.AdamW)):
        lasted, seconds, spent = train(optimizer_class, updates)
        print(
            f"{name:21} {lasted:4.1f} of {STEPS} steps up; {seconds:.2f} s, of which the optimizer {1e3 * spent:.1f} ms "
            f"({1e6 * spent / updates:.0f} µs a step)"
        )


if __name__ == "__main__":
    main()
