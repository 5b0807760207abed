"""The kernel shapes that are measured, and their table."""

from fastadam.backends.cuda.source import SHAPE, Shape

BLOCKS, VECTORS = (128, 256, 512), (1, 2, 4)  # as far as a chunk is whole blocks of vectors
CHUNKS = (1024, 4096, 8192, 16_384, 32_768, 65_536)
# Blocks that must fit on a multiprocessor, which leaves each thread 128, 85, 64, 42 or 32 registers.
THREADS = (512, 768, 1024, 1536, 2048)


def shapes() -> list[Shape]:
    """All combinations of block size and vectors, and other numbers of resident blocks and chunk sizes, one at a time."""
    found = [Shape(block, vectors, SHAPE.chunk, 1024 // block) for block in BLOCKS for vectors in VECTORS]
    found += [SHAPE._replace(resident=threads // SHAPE.block) for threads in THREADS]
    found += [SHAPE._replace(chunk=chunk) for chunk in CHUNKS]
    whole = [shape for shape in dict.fromkeys(found) if shape.chunk % (4 * shape.block * shape.vectors) == 0]
    return [shape for shape in whole if shape != SHAPE]  # which is measured anyway


SHAPES = shapes()
SHORT_SHAPES = [Shape(128, 1, 4096, 4), Shape(512, 4, 8192, 2), SHAPE._replace(chunk=65_536)]
