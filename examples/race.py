"""Race the optimizers on a function of your own: the three-hump camel, where some of them end in a local minimum."""

import argparse
from pathlib import Path

from fastadam.viz import race


def camel(x, y):
    return 2 * x**2 - 1.05 * x**4 + x**6 / 6 + x * y + y**2


def gradient(x, y):
    return 4 * x - 4.2 * x**3 + x**5 + y, x + 2 * y


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument(
        "--output", type=Path, default=Path("build/race.html"), help="a page, or a file in .gif, .mp4, .svg, .png"
    )
    options = parser.parse_args()

    result = race(
        camel,
        gradient,
        start=(-2, 2),
        steps=options.steps,
        minima=[(0, 0)],
        region=((-2.5, 2.5), (-2.5, 2.5)),
        title="Three-hump camel",
        output=options.output,
    )
    for name, path in result.trajectories.items():
        x, y = path.positions[-1]
        minimum = "the global minimum" if path.values[-1] < 0.1 else "a local minimum"
        print(f"{name:8}  learning rate {path.lr:<6g} ends at ({x:5.2f}, {y:5.2f}), near {minimum}")
    print(f"written: {options.output}")


if __name__ == "__main__":
    main()
