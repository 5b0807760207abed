"""Every kernel on arrays of odd sizes and alignments, each in an allocation of exactly its size; run by compute-sanitizer.

Imports nothing of the tests, and compares nothing: the sanitizer watches the memory.
"""

import cupy
import numpy as np

import fastadam

cupy.cuda.set_allocator(None)  # no pool: one cudaMalloc for each array

SIZES = (1, 3, 4, 5, 1023, 2049, 8191, 8192, 8195, 20_011)


def array(size, offset):
    """`size` floats, the last of which is the last of its allocation."""
    view = cupy.empty(size + offset, np.float32)[offset:]
    view.set(np.linspace(-1, 1, size, dtype=np.float32))
    return view


def main():
    for amsgrad in (False, True):
        for size in SIZES:
            for offsets in ((0, 0, 0, 0, 0), (3, 3, 3, 3, 3), (0, 1, 2, 3, 0)):
                arrays = [array(size, offset) for offset in offsets[: 4 + amsgrad]]
                for second_moment in arrays[3:]:
                    second_moment.fill(0.5)
                fastadam.adam_step(*arrays, step=1)

    for capturable in (False, True):
        params, grads = ([array(size, (k + shift) % 4) for k, size in enumerate(SIZES)] for shift in (0, 1))
        optimizer = fastadam.AdamW(params, amsgrad=True, ema_decay=0.9, capturable=capturable)
        optimizer.step(grads, max_norm=1.0)
        optimizer.step([*grads[:-1], array(SIZES[-1], 0)])
        if capturable:
            stream = cupy.cuda.Stream(non_blocking=True)
            cupy.cuda.Device().synchronize()
            with stream:
                stream.begin_capture()
                optimizer.step(grads, max_norm=1.0, skip_nonfinite=True)
                graph = stream.end_capture()
                optimizer.lr = 0.1
                for _ in range(3):
                    graph.launch()
                stream.synchronize()
    cupy.cuda.Device().synchronize()
    print("stepped")


if __name__ == "__main__":
    main()
