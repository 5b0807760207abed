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


# CPUID's family and models of each microarchitecture, by vendor.
_MICROARCHITECTURES = {
    "Intel": [
        (6, {85}, "Skylake-SP or Cascade Lake"),
        (6, {106, 108}, "Ice Lake-SP"),
        (6, {143}, "Sapphire Rapids"),
        (6, {173, 174}, "Granite Rapids"),
        (6, {207}, "Emerald Rapids"),
    ],
    "AMD": [
        (23, {*range(0x10)}, "Zen"),
        (23, {*range(0x30, 0x40)}, "Zen 2"),
        (25, {*range(0x10)}, "Zen 3"),
        (25, {*range(0x10, 0x20), *range(0xA0, 0xB0)}, "Zen 4"),
        (26, {*range(0x20)}, "Zen 5"),
    ],
}


def microarchitecture(cpu: str) -> str:
    """The vendor's and the microarchitecture's name for a :func:`cpu_model`; the model itself if they are not known."""
    if numbers := re.search(r"\(family (\d+), model (\d+)\)", cpu):
        family, model = map(int, numbers.groups())
        for vendor, known in _MICROARCHITECTURES.items():
            for name in (name for its, models, name in known if vendor in cpu and its == family and model in models):
                return f"{vendor} {name}"
    return cpu


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
    return str(machine["gpu"]) if "gpu" in machine else f"{microarchitecture(machine['cpu'])}, {machine['isa']}"


def slug(machine: dict[str, Any]) -> str:
    """The name of the files with results of this machine and this release, under bench/results."""
    name = machine["gpu"] if "gpu" in machine else f"{microarchitecture(machine['cpu'])} {machine['cpus']} cpus"
    return f"{machine['versions']['fastadam']}/" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
