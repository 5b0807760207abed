"""Describes what results depend on: the GPU, the driver, CUDA and the versions of everything measured."""

import subprocess
from datetime import UTC, datetime
from typing import Any

import cupy
from cupy.cuda import nvrtc, runtime
from machine import cpu_model, versions

_PACKAGES = ("numpy", "cupy", "torch", "jax", "jaxlib", "optax", "thinc")


def describe() -> dict[str, Any]:
    """The current GPU and the software, for the results file."""
    properties = runtime.getDeviceProperties(runtime.getDevice())
    found = versions(_PACKAGES)
    if "torch" in found:
        import torch

        found["torch"] = f"{torch.__version__} (CUDA {torch.version.cuda})"
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "gpu": properties["name"].decode(),
        "compute capability": f"{properties['major']}.{properties['minor']}",
        "multiprocessors": properties["multiProcessorCount"],
        "memory": properties["totalGlobalMem"],
        "caches": {"L2": properties["l2CacheSize"]},
        "cpu": cpu_model(),
        "driver": driver(),
        "cuda": {
            "driver's": cuda_version(runtime.driverGetVersion()),
            "runtime": cuda_version(runtime.runtimeGetVersion()),
            "NVRTC": ".".join(map(str, nvrtc.getVersion())),
        },
        "versions": found | {"cupy": cupy.__version__},  # its package has several names
    }


def cuda_version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def driver() -> str:
    """The driver's version according to nvidia-smi, if installed."""
    try:
        output = subprocess.run(
            ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"], capture_output=True, text=True, timeout=60
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        output = ""
    return output.splitlines()[0] if output else "unknown"
