"""``python bench/cuda/shapes_table.py RESULTS.json``: writes or checks the table of launch configurations in docs/cuda.md."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from document import update
from gpu_report import machine_in_words, shapes_table
from measurements import GpuResults

DOCUMENT = Path(__file__).parents[2] / "docs" / "cuda.md"


def block(results: GpuResults, path: Path) -> str:
    """The text between the document's markers."""
    about = f"{results.machine['gpu']}, {machine_in_words(results.machine)}."
    return f"{about} One AdamW step, in per cent of the speed of CUDA's copy.\n\n{shapes_table(results)}"


if __name__ == "__main__":
    update(DOCUMENT, "shapes", GpuResults, block, "python bench/cuda/shapes_table.py", __doc__)
