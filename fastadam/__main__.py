"""``python -m fastadam``: the parser of the command line; what the commands do is in fastadam/commands/."""

import argparse
import importlib
import json
import math
from collections.abc import Sequence

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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command of the command line."""
    options = parser().parse_args(arguments)
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
    bench.add_argument("--threads", type=_threads, nargs="+", metavar="N", help="numbers of threads (default: 1, and all)")
    bench.add_argument("--seconds", type=_seconds, default=10.0, metavar="S", help="about how long to measure (default: 10)")
    return top


def _threads(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) < 2**16:
        raise argparse.ArgumentTypeError(f"found {text!r}; expected an integer from 1 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"found {text!r}; expected a number of seconds, at least 0")
    return seconds


if __name__ == "__main__":
    main()
