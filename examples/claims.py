"""Measures, with this library, the eight properties of Adam that Kingma & Ba (2015) claim in their abstract."""

from lab.claims_cost import Efficient, Large, Memory, Simple
from lab.claims_gradients import Invariant, NoisyOrSparse, NonStationary
from lab.claims_tuning import LittleTuning
from lab.figures import panels
from lab.program import Experiment, main
from tqdm import tqdm

CLAIMS = (Simple, Efficient, Memory, Invariant, Large, NonStationary, NoisyOrSparse, LittleTuning)  # in the paper's order


def run(settings):
    claims = [claim() for claim in CLAIMS]
    for claim in (progress := tqdm(claims, unit="claim")):
        progress.set_postfix_str(type(claim).__name__)
        claim.measure(settings)
    return claims


def figure(claims):
    drawing, all_axes = panels(2, 4, (10.5, 5.4))
    for claim, axes in zip(claims, all_axes, strict=True):
        claim.draw(axes)
        axes.set_title(claim.title, fontsize=10)
        axes.minorticks_off()
    return drawing


def summary(claims):
    return "\n".join(f"{i}. {claim.words}: {claim.verdict}\n   {claim.line()}" for i, claim in enumerate(claims, 1))


def check(claims):
    for claim in claims:
        claim.check()


if __name__ == "__main__":
    main(Experiment(run, figure, check, summary), __file__, __doc__)
