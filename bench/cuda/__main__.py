"""``python bench/cuda``: measures fastadam and its peers on a GPU, and its memory; writes results, tables, a figure.

It is run as a directory, not as a module, so that it imports the installed package and not the sources beside this folder.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from command import RESULTS, add_options, write

from fastadam.backends.cuda.cupy_runtime import gpu


def main() -> None:
    parser = argparse.ArgumentParser("python bench/cuda", description=__doc__.partition("\n")[0])
    arguments = add_options(parser).parse_args()
    try:
        gpu()
    except (ImportError, RuntimeError) as error:
        raise SystemExit(f"this benchmark runs on a GPU, and there is none to use: {error}") from None
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # else JAX allocates most of the memory

    from gpu_report import report  # these need CuPy
    from measurements import run

    budget = 0 if arguments.short else arguments.budget
    output = arguments.output or (None if arguments.short else RESULTS)
    text = ""
    # Written after each case, so that a run that is cut off loses nothing.
    for results in run(arguments.sizes, arguments.short, budget, lambda what: print(f"{what} …", file=sys.stderr, flush=True)):
        text = report(results, with_targets=not arguments.short)
        if output:
            write(results, text, output)
    print(text)


if __name__ == "__main__":
    main()
