"""The parser of the command line, and its help."""

import argparse
import importlib
import json
from collections.abc import Sequence

from fastadam.commands import arguments

# Lines of the help are kept below 80 characters, as the parser keeps those it makes.
DESCRIPTION = """\
The Adam family of optimizers as one fused kernel. The commands show what it is
and what it does on this machine.
"""

EPILOG = """\
examples:
  python -m fastadam info            what this build uses here
  python -m fastadam demo            watch a network learn, in a few seconds
  python -m fastadam bench           how fast it is here, in ten seconds
  python -m fastadam bench --help    what its columns mean
  python -m fastadam race            see Adam beside its ancestors, in a browser
"""

INFO = """\
Show what this build is, and what it uses on this machine:

  fastadam   the version
  rules      the update rules that are compiled in
  isas       the instruction sets that are compiled in, best first; the active
             one can be forced by the environment variable FASTADAM_ISA
  threads    how many a large step uses; set by FASTADAM_NUM_THREADS, else
             OMP_NUM_THREADS, else the number of usable CPUs
  compiler   what built the kernels
  openmp     its version and the library that is loaded; with none, steps use
             one thread
  include    the folder of fastadam.h, for other extension modules
"""

INFO_EXAMPLES = """\
examples:
  python -m fastadam info
  FASTADAM_ISA=x86-64 python -m fastadam info
  python -m fastadam info --json | python -m json.tool
"""

BENCH = """\
Measure steps of AdamW on flat float32 buffers, two that fit into caches and
one that does not, and on a model of 1,000 small tensors. Before that, check
that the result is that of fastadam.reference, bit for bit.

  elements          of a buffer, or the number of tensors times those of each
  threads           that a step may use; small steps use fewer
  time              of one step
  GB/s              at 28 bytes an element: 4 float32 are read and 3 written
  vs NumPy          how many times faster than Adam written with NumPy's
                    in-place operators, which use one thread
  % of memory wall  of the speed at which NumPy, on as many threads, does as
                    many loads and stores and next to no arithmetic

Times and ratios are medians of samples taken in turn. Above 100 % is noise, or
memory that likes one pass over four arrays better than NumPy's three passes
over one or two. Whatever else runs meanwhile slows all of it down.
"""

BENCH_EXAMPLES = """\
examples:
  python -m fastadam bench
  python -m fastadam bench --threads 1 4 8 --seconds 30
  python -m fastadam bench --json > result.json
"""

DEMO = """\
Train a network of two layers, written in NumPy, to tell the points of two
interleaved spirals apart. fastadam.Adam steps it. fastadam.reference, the
specification in NumPy, steps another one, which starts as its equal. Both must
end with the same parameters, bit for bit.

Shown are the mean cross-entropy (loss) and the share of points told apart
(accuracy) while it learns, and at the end which part of the plane it gives to
which spiral, its accuracy on points that it has not seen, and a step's time.
"""

DEMO_EXAMPLES = """\
examples:
  python -m fastadam demo
  python -m fastadam demo --json 2> progress.txt
"""

RACE = """\
Let several optimizers minimize the same function of two variables from the
same start, and write a page to watch it in a browser, without a network. It
shows each method's path so far, learning rates to choose from, and what
happens inside each step of a method:

  gradient      what the method is given
  m, v          its averages (or sums) of gradients and of their squares
  corrected     m and v without their bias towards zero, if the method
                corrects it
  step          by how much the parameter changes
  effective lr  what corrected m is multiplied by; each parameter has its own

If no learning rate is given, a method gets the one with the lowest mean loss
over the race, among 1 and 3 of each decade. Every step is taken by the public
optimizers. Needs plotly for a page, else matplotlib:
pip install 'fastadam[viz]'
"""

RACE_EXAMPLES = """\
examples:
  python -m fastadam race
  python -m fastadam race --function ravine --optimizer SGD momentum Adam
  python -m fastadam race --function saddle --start 0.5 0.1 --lr Adam=0.1
  python -m fastadam race --function bowl --no-bias-correction
  python -m fastadam race --function beale --output race.gif

surfaces:
  rosenbrock beale himmelblau rastrigin saddle bowl plateau ravine noisy-bowl

optimizers:
  SGD momentum Nesterov AdaGrad RMSProp Adam AMSGrad AdamW
"""


def main(words: Sequence[str] | None = None) -> None:
    """Run a command of the command line."""
    options = parser().parse_args(words)
    command = importlib.import_module(f"fastadam.commands.{options.command}")
    result = command.run(options)
    print(json.dumps(result) if options.json else command.text(result))


def parser() -> argparse.ArgumentParser:
    """The parser, which imports no command."""
    layout = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser("python -m fastadam", description=DESCRIPTION, epilog=EPILOG, formatter_class=layout)
    commands = top.add_subparsers(required=True, metavar="command", dest="command")

    def add(name: str, summary: str, description: str, examples: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=summary, description=description, epilog=examples, formatter_class=layout)
        command.add_argument("--json", action="store_true", help="print one JSON object instead; progress goes to stderr")
        return command

    add("info", "version, instruction sets, threads, compiler, OpenMP", INFO, INFO_EXAMPLES)
    add("demo", "train a small network, bit for bit as the reference", DEMO, DEMO_EXAMPLES)
    bench = add("bench", "measure AdamW beside NumPy and the memory's speed", BENCH, BENCH_EXAMPLES)
    bench.add_argument(
        "--threads", type=arguments.threads, nargs="+", metavar="N", help="numbers of threads (default: 1, and all)"
    )
    bench.add_argument(
        "--seconds", type=arguments.seconds, default=10.0, metavar="S", help="about how long to measure (default: 10)"
    )
    race = add("race", "Adam beside its ancestors on one surface, to watch", RACE, RACE_EXAMPLES)
    race.add_argument(
        "--function", type=arguments.function, metavar="NAME", help="the surface (default: all; for a film or picture beale)"
    )
    race.add_argument("--optimizer", type=arguments.optimizer, nargs="+", metavar="NAME", help="who takes part (default: all)")
    race.add_argument(
        "--lr",
        type=arguments.rate,
        nargs="+",
        metavar="[NAME=]LR",
        help="learning rates: of all, or of those named (default: the best)",
    )
    race.add_argument(
        "--start", type=arguments.finite, nargs=2, metavar=("X", "Y"), help="where all start (default: the surface's)"
    )
    race.add_argument("--steps", type=arguments.steps, metavar="N", help="how many (default: 120 to 200, by the surface)")
    race.add_argument("--seed", type=arguments.seed, default=0, metavar="N", help="of the noise (default: 0)")
    race.add_argument(
        "--no-bias-correction", dest="bias_correction", action="store_false", help="leave it out of Adam's family"
    )
    race.add_argument(
        "--output",
        default="race.html",
        metavar="FILE",
        help="race.html (default), or a name in .gif, .mp4 (takes ffmpeg), .svg, .png",
    )
    return top
