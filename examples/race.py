"""Race the optimizers over a function of one's own: the three-hump camel, in whose side valleys some of them stay."""

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
        "--output", type=Path, default=Path("build/race.html"), help="a page, or a name in .gif, .mp4, .svg, .png"
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
    for name, way in result.trajectories.items():
        x, y = way.positions[-1]
        valley = "the lowest valley" if way.values[-1] < 0.1 else "a side valley"
        print(f"{name:8}  learning rate {way.lr:<6g} ends at ({x:5.2f}, {y:5.2f}), in {valley}")
    print(f"written: {options.output}")


if __name__ == "__main__":
    main()
