"""Describes what results depend on, the processor and the versions of everything measured, without identifying the computer."""

import importlib.metadata
import platform
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastadam

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_PACKAGES = ("numpy", "torch", "jax", "jaxlib", "optax", "thinc", "deepspeed")


def describe(cpus: int) -> dict[str, Any]:
    """The machine and its software, for the results file. `cpus` is the number of usable CPUs."""
    build = fastadam.build_info()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": cpu_model(),
        "cpus": cpus,
        "caches": caches(),
        "system": f"{platform.system()} {platform.machine()}",
        "isa": fastadam.active_isa(),
        "compiler": build["compiler"],
        "openmp": re.sub(r"\S*/", "", build["openmp"]),  # the library's name without its place
        "versions": versions(),
    }


def versions(packages: Iterable[str] = _PACKAGES) -> dict[str, str]:
    """The versions of Python, fastadam and those of the packages that are installed."""
    found = {"python": platform.python_version(), "fastadam": fastadam.__version__}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def cpu_model() -> str:
    """The processor's name, with family and model where the name alone is vague."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    if "model name" not in fields:
        return platform.machine()
    return f"{fields['model name']} (family {fields.get('cpu family', '?')}, model {fields.get('model', '?')})"


def caches() -> dict[str, int]:
    """The size in bytes of the first CPU's data cache of each level; empty if the system does not tell."""
    found = {}
    for cache in sorted(_CACHES.glob("index*")):
        if (cache / "type").read_text().strip() != "Instruction":
            size = (cache / "size").read_text().strip()
            found[f"L{(cache / 'level').read_text().strip()}"] = int(size.removesuffix("K")) * 1024
    return found


def subject(machine: dict[str, Any]) -> str:
    """What was measured: a GPU, or a CPU and the instruction set."""
    return str(machine["gpu"]) if "gpu" in machine else f"{machine['cpu']}, {machine['isa']}"


def slug(machine: dict[str, Any]) -> str:
    """A file name for results of this machine."""
    name = machine["gpu"] if "gpu" in machine else f"{machine['cpu']} {machine['cpus']} cpus"
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
