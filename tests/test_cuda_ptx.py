"""What NVRTC makes of the CUDA kernels, read without a GPU: IEEE instructions only, 16-byte accesses, no spills; and the text
that it is given."""

import functools
import itertools
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import nvrtc
import pytest
from cuda_variants import NAMES
from variants import BOTH_TYPES, ONE_OF_EACH, of_both_types

from fastadam import _native
from fastadam.backends.cuda import source
from fastadam.backends.cuda.kernels import NormKernels
from fastadam.backends.cuda.source import Shape

WHEELS = {12: "nvidia-cuda-nvrtc-cu12", 13: "nvidia-cuda-nvrtc"}
ARCHITECTURES = [75, 80, 86, 89, 90, 100, 120]
# The compiler, the GPU, and the type of elements. Each takes half a minute: unless all are asked for, the oldest GPU, the most
# common one and the newest are tried.
COMPILATIONS = [(13, 75, "float32"), (13, 90, "float32"), (13, 120, "float32"), (12, 90, "float32"), (13, 90, "float64")]
if os.environ.get("FASTADAM_TEST_ARCHITECTURES") == "all":
    COMPILATIONS = list(itertools.product((12, 13), ARCHITECTURES, ("float32", "float64")))
STEPS = ("fastadam_step", "fastadam_step_list", "fastadam_step_capturable")
REGISTERS = 65536  # of a multiprocessor; a thread is given a multiple of eight
MOST_REGISTERS = {
    dtype: REGISTERS // (Shape().block * Shape().resident_with(dtype)) // 8 * 8 for dtype in ("float32", "float64")
}
# Every instruction on floats that a kernel may have. Whatever flushes, fuses or approximates has more to its name.
ALLOWED = re.compile(
    r"(add|sub|mul|div|sqrt)\.rn\.f(32|64)|cvt\.rn\.f32\.f64|cvt\.f64\.f32|cvt\.rn\.f64\.s(32|64)|setp\.[a-z]+\.f(32|64)|selp\.f(32|64)|(mov|neg|abs)\.f(32|64)"
    r"|(ld|st)(\.[a-z]+\d?)*\.f(32|64)"
)
STATES = {variant.key: variant.states for variant in BOTH_TYPES}
STATES |= {variant.averaged.key: variant.averaged.states for variant in of_both_types(ONE_OF_EACH)}
# Those whose machine code is looked at too, which takes as long again: Adam's, and of each other rule the one with all options.
ASSEMBLED = {variant.key for variant in BOTH_TYPES if variant.rule_name == "adam"}
ASSEMBLED |= {variant.key for variant in of_both_types(ONE_OF_EACH)}
ARITHMETIC = {"SGD": {"mul"}, "Lion": {"mul"}, "Adamax": {"mul", "div"}}  # other rules have square roots too


def compiler_of(major):
    if major not in nvrtc.compilers():
        pytest.skip(f"needs NVRTC {major}: pip install {WHEELS[major]}")
    return nvrtc.compilers()[major]


def instructions(ptx):
    """(opcode, operands) of each."""
    for statement in re.split(r";|(?<=:)\n|\{ (?=\.reg)|^\{", re.sub(r"//.*", "", ptx), flags=re.MULTILINE):
        if match := re.match(r"\s*(?:@!?%\w+\s+)?([a-z][\w.:]*)\s*(.*)", statement, re.DOTALL):
            yield match.groups()


def accesses(body, bits):
    """The memory accesses in their order, as one letter each (a 16-byte Load or Store, another store), and their addresses."""
    kinds, addresses = "", []
    for opcode, operands in instructions(body):
        wide = re.search(rf"\.v{128 // bits}\.[fbu]{bits}", opcode)
        if re.match(r"st\." if not wide else r"(ld|st)\.", opcode):
            kinds += ("L" if opcode.startswith("ld") else "S") if wide else "x"
            addresses.append(re.search(r"\[.*\]", operands)[0])
    return kinds, addresses


def has_wide_accesses(body, states, bits):
    """Whether all loads of each array come first, then stores to all but the gradient, for as many vectors as a thread has."""
    loads, stores = Shape().vectors * (2 + states), Shape().vectors * (1 + states)
    kinds, addresses = accesses(body, bits)
    for match in re.finditer(f"L{{{loads}}}S{{{stores}}}", kinds):
        loaded, stored = addresses[match.start() :][:loads], addresses[match.end() - stores : match.end()]
        if len(set(loaded)) == loads and len(set(stored)) == stores:
            # The same one vector at a time, at a tensor's end.
            return kinds.count("L") >= loads + 2 + states and kinds.count("S") >= stores + 1 + states
    return False


def problems(compiled, variant):
    """What is wrong with one variant, in words."""
    rule, states, bits = variant[0], STATES[variant], {"float32": 32, "float64": 64}[variant[-1]]
    bodies = dict(re.findall(r"\.entry (\w+)\((.*?)(?=\.entry|\Z)", compiled.ptx, re.DOTALL))
    if sorted(bodies) != sorted(NAMES):
        yield f"kernels are {sorted(bodies)}"
    for name, body in bodies.items():
        opcodes = {opcode for opcode, _ in instructions(body)}
        floats = {opcode for opcode in opcodes if re.search(r"\.b?f\d+", opcode)}
        forbidden = {opcode for opcode in floats if not ALLOWED.fullmatch(opcode)}
        forbidden |= {opcode for opcode in opcodes if opcode.startswith("call")}
        if bits == 64 or name != "fastadam_advance":
            forbidden |= {opcode for opcode in floats if f"f{96 - bits}" in opcode}
        yield from (f"{name} has {opcode}" for opcode in sorted(forbidden))
        if ".local" in body:
            yield f"{name} has local memory"
        if name in STEPS:
            missing = {f"{name}.rn.f{bits}" for name in ARITHMETIC.get(rule, {"mul", "div", "sqrt"})} - opcodes
            yield from (f"{name} has no {opcode}" for opcode in sorted(missing))
            if not has_wide_accesses(body, states, bits):
                yield f"{name} lacks 16-byte loads or stores of some array: {accesses(body, bits)[0]}"
            if re.search(r"\b(ld|st)(\.global)?\.v2\.\w32", body):
                yield f"{name} has 8-byte accesses"
    for name, report in assembler_report(compiled.log).items():
        if any(report[:3]):
            yield f"{name} has a stack frame of {report[0]} bytes, {report[1]} of spill stores, {report[2]} of spill loads"
        if report[3] > MOST_REGISTERS[variant[-1]]:
            yield f"{name} has {report[3]} registers"


def assembler_report(log, names=NAMES):
    """For each kernel the bytes of its stack frame, of spill stores and spill loads, and its registers."""
    pattern = (
        r"entry function '(\w+)'.*?(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads.*?(\d+) registers"
    )
    report = {name: tuple(map(int, numbers)) for name, *numbers in re.findall(pattern, log, re.DOTALL)}
    assert sorted(report) == (sorted(names) if "ptxas info" in log else []), log
    return report


def test_every_rule_is_there():
    """With every combination of flags that its options can make."""
    everything = {(name, flags) for name, count in _native.cuda_variants().items() for flags in range(count)}
    assert {(name, flags) for name, flags, *_ in STATES} <= everything
    assert {name for name, *_ in STATES} == set(_native.cuda_variants()), "a rule is missing from variants.KINDS"


@pytest.mark.parametrize(("major", "architecture", "dtype"), COMPILATIONS)
def test_code_of_every_variant(major, architecture, dtype, request):
    compiler = compiler_of(major)
    if architecture not in compiler.architectures:
        pytest.skip(f"NVRTC {compiler.version} does not know sm_{architecture}")

    def compiled(variant):
        return compiler.compile(source.text(), source.options(*variant), architecture, assemble=variant in ASSEMBLED)

    found, variants = [], [variant for variant in STATES if variant[-1] == dtype]
    with ThreadPoolExecutor(2) as pool:
        for variant, result in zip(variants, pool.map(compiled, variants), strict=True):
            assert ("ptxas info" in result.log) == (variant in ASSEMBLED)
            for kernel, report in assembler_report(result.log).items():
                request.node.user_properties.append((f"registers of {kernel}, {variant}", report[3]))
            found += [f"{variant}: {problem}" for problem in problems(result, variant)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("major", "architecture", "dtype"), COMPILATIONS)
def test_code_of_the_norm(major, architecture, dtype):
    compiler = compiler_of(major)
    if architecture not in compiler.architectures:
        pytest.skip(f"NVRTC {compiler.version} does not know sm_{architecture}")
    result = compiler.compile(source.text("norm.cu"), source.norm_options(dtype), architecture, assemble=True)
    opcodes = {opcode for opcode, _ in instructions(result.ptx)}
    floats = {opcode for opcode in opcodes if re.search(r"\.b?f\d+", opcode)}
    assert not [opcode for opcode in floats if not ALLOWED.fullmatch(opcode)]
    conversions = {"cvt.f64.f32", "cvt.rn.f32.f64"}
    assert {"mul.rn.f64", "add.rn.f64", "sqrt.rn.f64", "div.rn.f64"} <= opcodes
    assert conversions & opcodes == (conversions if dtype == "float32" else set())
    assert ".local" not in result.ptx
    names = tuple(f"fastadam_{name}" for name in NormKernels.names(dtype))
    assert all(not any(report[:3]) for report in assembler_report(result.log, names).values())


def plain(symbol, instruction):
    function = f"FASTADAM_INLINE Real operator{symbol}(Real a, Real b) {{ return Real(a.value {symbol} b.value); }}"
    return f'FASTADAM_BINARY(Real, "f", {symbol}, "{instruction}")', function


BOUNDS = "__launch_bounds__(FASTADAM_BLOCK, FASTADAM_RESIDENT)"
WHOLE = ("static_assert(FASTADAM_CHUNK % (width * block * vectors) == 0);", "")
SPOILED = {  # what the checks must find, and what is to be replaced by what
    r"step has mul\.ftz\.f32": [plain("*", "mul.rn.f32")],
    r"step has fma\.rn\.ftz\.f32": [plain("*", "mul.rn.f32"), plain("+", "add.rn.f32")],
    r"step has setp\.lt\.ftz\.f32": [('"lt.f32"', '"lt.ftz.f32"')],
    r"step has abs\.ftz\.f32": [('"abs.f32"', '"abs.ftz.f32"')],
    r"step has sqrt\.approx\.f32": [("sqrt.rn.f32", "sqrt.approx.f32")],
    r"step has div\.full\.f32": [("div.rn.f32", "div.full.f32")],
    r"step has add\.rz\.f32": [("add.rn.f32", "add.rz.f32")],
    r"step has cvt\.f64\.f32": [("square_root(second_moment)", "Real(Real64(square_root(second_moment)))")],
    r"step lacks 16-byte": [("struct alignas(16) Vector", "struct alignas(4) Vector")],
    r"step has local memory": [("state[flags & amsgrad ? 2 : 1]", "state[__float_as_int(p.value) & 1]")],
    r"step has a stack frame": [(BOUNDS, "__launch_bounds__(FASTADAM_BLOCK, 8)")],
    r"step has \d+ registers": [(BOUNDS, ""), ("vectors = FASTADAM_VECTORS", "vectors = 4"), WHOLE],
}


@functools.cache
def problems_of_one_variant(replacements=()):
    compiler, variant, text = compiler_of(max(nvrtc.compilers(), default=13)), next(iter(STATES)), source.text()
    for old, new in replacements:
        assert old in text, "the kernel has changed; so must this test"
        text = text.replace(old, new)
    return "\n".join(problems(compiler.compile(text, source.options(*variant), 80), variant))


@pytest.mark.parametrize("problem", SPOILED)
def test_the_checks_can_fail(problem):
    assert not re.search(problem, problems_of_one_variant())
    assert re.search(problem, problems_of_one_variant(tuple(SPOILED[problem])))


def test_options_are_those_that_cupy_uses(monkeypatch):
    """The part of CuPy that adds options runs; its compiler and its questions to a GPU are replaced."""
    cupy = pytest.importorskip("cupy.cuda.compiler", reason="needs CuPy (no GPU): pip install cupy-cuda13x")
    seen = []

    class Program:
        def __init__(self, *arguments, **options):
            pass

        def compile(self, options, log_stream):
            seen.extend(options)
            raise InterruptedError

    monkeypatch.setattr(cupy, "_get_arch_for_options_for_nvrtc", lambda arch: (f"-arch=sm_{arch}", "cubin"))
    monkeypatch.setattr(cupy, "_preprocess", lambda *arguments: "")
    monkeypatch.setattr(cupy, "_NVRTCProgram", Program)
    monkeypatch.setenv("CUPY_CACHE_IN_MEMORY", "1")
    ours = source.options("Adam", 0)
    with pytest.raises(InterruptedError):
        cupy._compile_module_with_cache("", ours, arch="80")
    given = [option for option in seen if not option.startswith("-I")]  # no header is included
    assert sorted(given) == sorted((*ours, *nvrtc.CUPY_OPTIONS, "-arch=sm_80"))


@pytest.mark.parametrize("name", sorted(path.relative_to(source.FOLDER).as_posix() for path in source.FOLDER.rglob("*.*")))
def test_text_follows_each_file(tmp_path, name):
    """CuPy keeps kernels under their text and options: a change of any file must change the text."""
    shutil.copytree(source.FOLDER, tmp_path / "before")
    shutil.copytree(source.FOLDER, tmp_path / "after")
    changed = tmp_path / "after" / name
    changed.write_text(changed.read_text()[:-2] + " \n")
    changes = 0
    for kernel in ("step.cu", "norm.cu"):
        before, after = source.text(kernel, tmp_path / "before"), source.text(kernel, tmp_path / "after")
        assert before == source.text(kernel)
        assert len(after) == len(before)
        changes += after != before
    assert changes == source.text().count(f"// {name}\n") + source.text("norm.cu").count(f"// {name}\n") > 0


def test_text_is_complete():
    """Each file once, nothing left to include but what CUDA never reaches, and so no header of CUDA's."""
    texts = {name: source.text(name) for name in ("step.cu", "norm.cu")}
    for path in source.FOLDER.rglob("*.*"):
        counts = {name: text.count(f"// {path.relative_to(source.FOLDER).as_posix()}\n") for name, text in texts.items()}
        assert max(counts.values()) == 1
    left = {name: re.findall(r"^ *# *include *(\S+)", text, re.MULTILINE) for name, text in texts.items()}
    assert left == {"step.cu": ["<math.h>", "FASTADAM_EXTRA_RULES"], "norm.cu": ["<math.h>"]}


def test_options_name_all_of_the_shape():
    shape = Shape(*range(11, 11 + len(Shape._fields)))
    options = source.options("SomeRule", 5, True, shape=shape)
    expected = {"RULE": "SomeRule", "FLAGS": 5, "AVERAGES": 1}
    assert set(options) > {f"-DFASTADAM_{name}={value}" for name, value in expected.items()}
    for name, value in shape._asdict().items():
        assert f"-DFASTADAM_{name.upper()}={value}" in options
        assert f"FASTADAM_{name.upper()}" in source.text()
