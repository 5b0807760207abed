"""What NVRTC makes of the CUDA kernels, read without a GPU: IEEE instructions only, 16-byte accesses, no spills; and the text
that it is given."""

import itertools
import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import nvrtc
import pytest

from fastadam import _native
from fastadam.adam import AdamOptions
from fastadam.cuda import source
from fastadam.cuda.source import Shape

WHEELS = {12: "nvidia-cuda-nvrtc-cu12", 13: "nvidia-cuda-nvrtc"}
ARCHITECTURES = [75, 80, 86, 89, 90, 100, 120]
STEPS = ("fastadam_step", "fastadam_step_list", "fastadam_step_capturable")
KERNELS = (*STEPS, "fastadam_advance", "fastadam_write")
REGISTERS = 65536  # of a multiprocessor; a thread is given a multiple of eight
MOST_REGISTERS = REGISTERS // (Shape().block * Shape().resident) // 8 * 8
# Every instruction on floats that a kernel may have. Whatever flushes, fuses or approximates has more to its name.
ALLOWED = re.compile(
    r"(add|sub|mul|div|sqrt)\.rn\.f(32|64)|cvt\.rn\.f32\.f64|cvt\.f64\.f32|setp\.[a-z]+\.f32|selp\.f32|(mov|neg|abs)\.f(32|64)"
    r"|(ld|st)(\.param|\.global)?(\.v[24])?\.f(32|64)"
)


def adam_rules():
    for amsgrad, maximize, weight_decay in itertools.product([False, True], [False, True], [0.0, 0.1]):
        yield AdamOptions(1e-3, (0.9, 0.999), 1e-8, weight_decay, amsgrad, maximize, False).rule


VARIANTS = {(rule.type_name, rule.flags): rule.state_count for rule in itertools.chain(adam_rules())}


def compiler_of(major):
    if major not in nvrtc.compilers():
        pytest.skip(f"needs NVRTC {major}: pip install {WHEELS[major]}")
    return nvrtc.compilers()[major]


def instructions(ptx):
    """(opcode, operands) of each."""
    for statement in re.split(r";|(?<=:)\n|\{ (?=\.reg)|^\{", re.sub(r"//.*", "", ptx), flags=re.MULTILINE):
        if match := re.match(r"\s*(?:@!?%\w+\s+)?([a-z][\w.:]*)\s*(.*)", statement, re.DOTALL):
            yield match.groups()


def accesses(body):
    """The memory accesses in their order, as one letter each (a 16-byte Load or Store, another store), and their addresses."""
    kinds, addresses = "", []
    for opcode, operands in instructions(body):
        operation, _, wide = opcode.partition(".")
        if operation == "st" or (operation == "ld" and re.search(r"v4\.[fbu]32", wide)):
            kinds += operation[0].replace("l", "L").replace("s", "S") if "v4" in wide else "x"
            addresses.append(re.search(r"\[.*\]", operands)[0])
    return kinds, addresses


def has_wide_accesses(body, states):
    """Whether all loads of each array come first, then stores to all but the gradient, for as many vectors as a thread has."""
    loads, stores = Shape().vectors * (2 + states), Shape().vectors * (1 + states)
    kinds, addresses = accesses(body)
    for match in re.finditer(f"L{{{loads}}}S{{{stores}}}", kinds):
        loaded, stored = addresses[match.start() :][:loads], addresses[match.end() - stores : match.end()]
        if len(set(loaded)) == loads and len(set(stored)) == stores:
            # The same one vector at a time, at a tensor's end.
            return kinds.count("L") >= loads + 2 + states and kinds.count("S") >= stores + 1 + states
    return False


def problems(compiled, states):
    """What is wrong with one variant, in words."""
    bodies = dict(re.findall(r"\.entry (\w+)\((.*?)(?=\.entry|\Z)", compiled.ptx, re.DOTALL))
    if sorted(bodies) != sorted(KERNELS):
        yield f"kernels are {sorted(bodies)}"
    for name, body in bodies.items():
        opcodes = {opcode for opcode, _ in instructions(body)}
        floats = {opcode for opcode in opcodes if re.search(r"\.b?f\d+", opcode)}
        forbidden = {opcode for opcode in floats if not ALLOWED.fullmatch(opcode)}
        forbidden |= {opcode for opcode in opcodes if re.match(r"call\b|(fma|mad)\.r|.*\.(ftz|approx|full)\b", opcode)}
        if name != "fastadam_advance":
            forbidden |= {opcode for opcode in floats if "f64" in opcode}
        yield from (f"{name} has {opcode}" for opcode in sorted(forbidden))
        if ".local" in body:
            yield f"{name} has local memory"
        if name in STEPS:
            missing = {"mul.rn.f32", "div.rn.f32", "sqrt.rn.f32"} - opcodes
            yield from (f"{name} has no {opcode}" for opcode in sorted(missing))
            if not has_wide_accesses(body, states):
                yield f"{name} lacks 16-byte loads or stores of some array: {accesses(body)[0]}"
            if re.search(r"\b(ld|st)(\.global)?\.v2", body):
                yield f"{name} has 8-byte accesses"
    for name, report in assembler_report(compiled.log).items():
        if any(report[:3]):
            yield f"{name} has a stack frame of {report[0]} bytes, {report[1]} of spill stores, {report[2]} of spill loads"
        if report[3] > MOST_REGISTERS:
            yield f"{name} has {report[3]} registers"


def assembler_report(log):
    """For each kernel the bytes of its stack frame, of spill stores and spill loads, and its registers."""
    pattern = (
        r"entry function '(\w+)'.*?(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads.*?(\d+) registers"
    )
    report = {name: tuple(map(int, numbers)) for name, *numbers in re.findall(pattern, log, re.DOTALL)}
    assert sorted(report) == sorted(KERNELS), log
    return report


def test_variants_are_all_there_are():
    everything = {(name, flags) for name, count in _native.cuda_variants().items() for flags in range(count)}
    assert set(VARIANTS) == everything, "a rule is missing from VARIANTS"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("major", WHEELS)
def test_code_of_every_variant(major, architecture, record_property):
    compiler = compiler_of(major)
    if architecture not in compiler.architectures:
        pytest.skip(f"NVRTC {compiler.version} does not know sm_{architecture}")

    def compiled(variant):
        return compiler.compile(source.text(), source.options(*variant), architecture)

    found = []
    with ThreadPoolExecutor(2) as pool:
        for variant, result in zip(VARIANTS, pool.map(compiled, VARIANTS), strict=True):
            for kernel, report in assembler_report(result.log).items():
                record_property(f"registers of {kernel}, {variant}", report[3])
            found += [f"{variant}: {problem}" for problem in problems(result, VARIANTS[variant])]
    assert not found, "\n".join(found)


PLAIN_MULTIPLY = "FASTADAM_INLINE Real operator*(Real a, Real b) { return Real(a.value * b.value); }"
SPOILED = {
    "plain operator": ('FASTADAM_BINARY(Real, "f", *, "mul.rn.f32")', PLAIN_MULTIPLY, r"mul\.ftz\.f32"),
    "flushing comparison": ('".f32 holds, ', '".ftz.f32 holds, ', r"setp\.lt\.ftz\.f32"),
    "fabsf": ("__int_as_float(__float_as_int(x.value) & 0x7fffffff)", "fabsf(x.value)", r"abs\.ftz\.f32"),
    "approximate root": ("sqrt.rn.f32", "sqrt.approx.f32", r"sqrt\.approx\.f32"),
    "approximate division": ("div.rn.f32", "div.full.f32", r"div\.full\.f32"),
    "float64": ("g = -g;", "g = Real(Real64(g));", r"step has cvt\.f64\.f32"),
    "8-byte vectors": ("struct alignas(16) Vector", "struct alignas(8) Vector", "step has no run of 1 16-byte"),
    "loads one by one": ("count; ++n) {\n    const Index i", "count; ++n) {\n    __syncthreads(); const Index i", None),
    "starved of registers": ("__launch_bounds__(FASTADAM_BLOCK, FASTADAM_RESIDENT)", "__launch_bounds__(256, 8)", "spill"),
    "too many registers": ("__launch_bounds__(FASTADAM_BLOCK, FASTADAM_RESIDENT)", "", r"registers"),
}


@pytest.mark.parametrize("spoiled", SPOILED)
def test_the_checks_can_fail(spoiled):
    pass
