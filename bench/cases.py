"""The cases that are measured: single buffers from L1 cache to DRAM, and lists of tensors like those of models."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

Shape = tuple[int, ...]

# Decimal sizes: a power of two would map the four arrays to the same cache sets.
SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 33_000_000, 130_000_000)
# For a GPU; from 64 Mi elements on, its memory is the limit.
GPU_SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 2**26, 2**27, 2**28)
SHORT_SIZES = (1_000, 30_001, 300_000)  # one of them odd, so that vectors leave a remainder


@dataclass(frozen=True)
class Case:
    """Tensors that are stepped together."""

    name: str
    shapes: tuple[Shape, ...]
    # Before each step, outside its time:
    product: int = 0  # the size of square matrices that are multiplied
    new_gradients: bool = False  # whether gradients of PyTorch's tensors get other addresses
    is_zero: bool = False  # whether gradients and moments are zero, as those of weights that nothing has used

    @property
    def elements(self) -> int:
        return sum(math.prod(shape) for shape in self.shapes)


def one_buffer(elements: int) -> Case:
    mantissa, exponent = f"{elements:.1e}".split("e")
    return Case(f"{mantissa.removesuffix('.0')}e{int(exponent)}", ((elements,),))


def gpt2(blocks: int, width: int = 768, vocabulary: int = 50257, context: int = 1024) -> tuple[Shape, ...]:
    """The parameters of GPT-2 (Radford et al. 2019); 12 blocks are GPT-2 small, with 148 tensors."""
    norm: list[Shape] = [(width,), (width,)]
    attention: list[Shape] = [(width, 3 * width), (3 * width,), (width, width), (width,)]
    feed_forward: list[Shape] = [(width, 4 * width), (4 * width,), (4 * width, width), (width,)]
    return ((vocabulary, width), (context, width), *(norm + attention + norm + feed_forward) * blocks, *norm)


SMALL_TENSORS = Case("1,000 x 256", ((256,),) * 1000)
MANY_TENSORS = Case("20,000 x 64", ((64,),) * 20_000)
GPT2_SMALL = Case("GPT-2 small", gpt2(blocks=12))
# As in a training loop: BLAS has the caches, and its threads are still awake.
AFTER_PRODUCT = Case("512 x 512 after a product", ((512, 512),), product=512)
ZEROS = Case("6.7e7, zero gradients", ((2**26,),), is_zero=True)
GPT2_SUBSET = Case("GPT-2 subset", gpt2(blocks=1, vocabulary=1000))


def select(sizes: Iterable[int] | None, short: bool, all_sizes: Iterable[int] = SIZES) -> list[Case]:
    """The cases of a run: the requested `sizes`, a few small ones, or all."""
    if sizes is not None:
        return [one_buffer(size) for size in sizes]
    if short:
        return [*map(one_buffer, SHORT_SIZES), SMALL_TENSORS, AFTER_PRODUCT, GPT2_SUBSET]
    return [*map(one_buffer, all_sizes), SMALL_TENSORS, MANY_TENSORS, AFTER_PRODUCT, GPT2_SMALL]
