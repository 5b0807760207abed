"""What a race is written to: a page that loads nothing, films with the right frames, pictures, and errors."""

import base64
import json
import re
import shutil
import sys
import zlib
from html.parser import HTMLParser

import numpy as np
import pytest

from fastadam.viz import METHODS, SURFACES, race, save

LOADING = {"src", "srcset", "data", "poster", "background", "action", "formaction", "ping"}  # attributes that load or send


class Page(HTMLParser):
    """All tags with their attributes, and the text of each script and style by its order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.raw, self._within = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._within = tag

    def handle_endtag(self, tag):
        self._within = None

    def handle_data(self, data):
        if self._within in ("script", "style"):
            self.raw.append((self._within, data))


@pytest.fixture(scope="module")
def small():
    """Of a function of one's own, whose paths are on its page."""
    bowl = SURFACES["bowl"]
    own = {"start": bowl.start, "region": bowl.region, "minima": bowl.minima, "title": "bowl"}
    return race(
        bowl.value, lambda x, y: (x, 100 * y), steps=20, optimizers=["SGD", "Adam", "AMSGrad"], lr={"AMSGrad": 0.5}, **own
    )


@pytest.fixture(scope="module")
def page(small):
    """The page of a small race, as text."""
    pytest.importorskip("plotly")
    from fastadam.viz.page import page

    return page([small])


def unpacked(text, name="packed"):
    (packed,) = re.findall(rf'<script id="{name}" type="text/plain">([A-Za-z0-9+/=]+)</script>', text)
    found = zlib.decompress(base64.b64decode(packed)).decode()
    return json.loads(found) if name == "packed" else found


def test_page_loads_nothing(page):
    parsed = Page(page)
    for tag, attributes in parsed.tags:
        assert not LOADING & attributes.keys(), (tag, attributes)
        if tag == "link":
            assert attributes["href"] == "data:,"
        assert tag not in ("iframe", "object", "embed", "img", "base", "audio", "video")
    (policy,) = [a["content"] for tag, a in parsed.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    assert not re.search(r"https?:|\*|'self'", policy)
    assert "plotly.js v" in unpacked(page, "plotly")
    ours = [text for _, text in parsed.raw]
    assert not any(re.search(r"https?://|@import|url\(|fetch\(|XMLHttpRequest|import\(", text) for text in ours)


def test_page_has_all_of_its_parts(page):
    assert "{{" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert page.count("Plotly.react(") >= 3
    assert "prefers-reduced-motion" in page
    assert "prefers-color-scheme: dark" in page


def test_page_labels_all_controls(page):
    """Each control in the page as it is loaded has a label, or words of its own."""
    for match in re.finditer(r"<(select|input|button)\b([^>]*)>", page[: page.index('<script id="plotly"')]):
        name = re.search(r'id="(\w+)"', match[2])
        around = page[max(0, match.start() - 40) : match.start()]
        assert "aria-label=" in match[2] or match[1] == "button" or f'for="{name[1]}"' in page or "<label" in around, match[0]


@pytest.mark.parametrize("name", ["SGD", "Adam", "AMSGrad"])
@pytest.mark.parametrize(("choice", "factor"), [(0, 0.3), (1, 1), (2, 3)])
@pytest.mark.parametrize("bias_correction", [False, True])
def test_page_has_every_path(small, page, name, choice, factor, bias_correction):
    data = unpacked(page)
    (shown,) = data["races"]
    assert data["factors"] == [0.3, 1, 3]
    assert list(data["methods"]) == list(shown["rates"]) == ["SGD", "Adam", "AMSGrad"]
    assert len(shown["paths"][name]) == 3
    assert shown["rates"] == small.rates
    chosen = shown["paths"][name][choice]
    assert len(chosen) == (1 if name == "SGD" else 2)
    path = small.trajectory(name, factor, bias_correction)
    packed = chosen[-1 if bias_correction else 0]
    np.testing.assert_allclose(np.transpose([packed["x"], packed["y"]]), path.positions, rtol=0, atol=5.1e-3)
    np.testing.assert_allclose(packed["loss"], path.values, rtol=1e-2)
    assert packed["inside"].keys() == path.inside.keys()
    for quantity, values in path.inside.items():
        found = packed["inside"][quantity]
        while isinstance(found, str):
            found = packed["inside"][found]
        np.testing.assert_allclose(np.transpose(found), values, rtol=1e-2)


def test_page_has_the_formulas_of_both_choices(page):
    for name, shown in unpacked(page)["methods"].items():
        plain, corrected = shown["formulas"]
        assert (plain, corrected) == tuple(METHODS[name].formulas(choice) for choice in (False, True))
        assert (plain != corrected) == METHODS[name].corrects_bias
        assert shown["meanings"] == [METHODS[name].meanings(choice) for choice in (False, True)]
        assert all(meaning.endswith(".") for each in shown["meanings"] for meaning in each.values())
        assert shown["meanings"][0].keys() == plain.keys()


def test_page_has_the_relief_of_the_surface():
    pytest.importorskip("plotly")
    from fastadam.viz.page import content

    # Its region is other in x and y, as its loss is.
    shown, surface = content([race("beale", steps=2, optimizers=["SGD"], lr={"SGD": 0.01})])["races"][0], SURFACES["beale"]
    assert shown["region"] == surface.region
    grid, relief = shown["contours"], np.array(shown["contours"]["z"])
    x, y = (grid[f"{axis}0"] + grid[f"d{axis}"] * np.arange(len(relief)) for axis in "xy")
    np.testing.assert_allclose([(x[0], x[-1]), (y[0], y[-1])], surface.region, rtol=1e-12)
    loss = surface.value(*np.meshgrid(x, y))
    assert (np.diff(relief.ravel()[np.argsort(loss, axis=None)]) >= -1e-3).all()  # higher where the loss is


def test_page_of_all_surfaces_has_all_methods_and_is_small():
    pytest.importorskip("plotly")
    from fastadam.viz.page import page

    text = page([race(name, lr=0.01) for name in SURFACES])
    data = unpacked(text)
    assert [shown["name"] for shown in data["races"]] == list(SURFACES)
    assert list(data["methods"]) == list(METHODS)
    assert all(list(shown["rates"]) == list(METHODS) for shown in data["races"])
    assert not any("paths" in shown for shown in data["races"])  # the page computes them
    assert data["first"] == ["SGD", "momentum", "RMSProp", "Adam"]
    assert len(text.encode()) < 3e6


def test_what_diverges_is_null_on_the_page():
    pytest.importorskip("plotly")
    from fastadam.viz.page import content

    of = SURFACES["rosenbrock"]
    own = race(of.value, lambda x, y: of.gradient(x, y), start=of.start, optimizers=["SGD"], lr=1.0, steps=20)
    (shown,) = content([own])["races"]
    assert shown["paths"]["SGD"][1][0]["x"][-1] is None


def test_names_are_escaped():
    pytest.importorskip("plotly")
    from fastadam.viz.page import page

    text = page([race("bowl", optimizers=["SGD"], lr=0.01, steps=2, title="</title><script>alert(1)</script>")])
    assert "<script>alert(1)" not in text


@pytest.mark.parametrize(("steps", "shown"), [(5, 6), (60, 61), (61, 32), (1000, 60)])
def test_frames(steps, shown):
    from fastadam.viz.movie import frames

    found = frames(steps)
    assert len(found) == len(set(found)) == shown
    assert found[0] == 0
    assert found[-1] == steps


def test_gif(small, tmp_path):
    pytest.importorskip("matplotlib")
    from PIL import Image

    small.save(tmp_path / "folder" / "race.gif")
    with Image.open(tmp_path / "folder" / "race.gif") as image:
        durations = []
        for frame in range(image.n_frames):
            image.seek(frame)
            durations.append(image.info["duration"])
    assert len(durations) == small.steps + 1  # the last one, which stays, is one
    assert durations[-1] > 10 * durations[0]


def test_mp4(small, tmp_path):
    pytest.importorskip("matplotlib")
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs ffmpeg")
    small.save(tmp_path / "race.mp4")
    assert (tmp_path / "race.mp4").read_bytes()[4:8] == b"ftyp"


def test_mp4_without_ffmpeg(small, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"race.mp4' needs ffmpeg, which was not found on PATH; install it .*\.gif"):
        small.save(tmp_path / "race.mp4")
    assert not (tmp_path / "race.mp4").exists()


def test_pictures(small, tmp_path):
    pytest.importorskip("matplotlib")
    from PIL import Image

    for name in ("a.svg", "a.png"):
        small.save(tmp_path / name)
    first = (tmp_path / "a.svg").read_bytes()
    assert first.startswith(b"<?xml")
    small.save(tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_bytes() == first
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (1350, 840)
        assert len(image.getcolors(image.width * image.height)) > 100


def test_picture_of_the_gallery_is_small(tmp_path):
    pytest.importorskip("matplotlib")
    race("beale", output=tmp_path / "race.svg")
    assert (tmp_path / "race.svg").stat().st_size < 100_000


def test_paths_that_diverge_are_drawn_up_to_a_limit():
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    from fastadam.viz.picture import FAR, Paths

    diverging = race("rosenbrock", optimizers=["SGD", "Adam"], lr=1.0, steps=20)
    axes = Figure().subplots()
    Paths(axes, diverging).show(20)
    lines = axes.get_lines()[::2]  # after each line comes its mark
    left_out = {}
    for line, (name, path) in zip(lines, diverging.trajectories.items(), strict=True):
        drawn = np.abs(path.positions) < FAR
        left_out[name] = (np.isfinite(path.positions) & ~drawn).any()
        np.testing.assert_array_equal(line.get_xydata(), np.where(drawn, path.positions, np.nan))
    assert left_out == {"SGD": True, "Adam": False}


def test_several_races_are_a_page(small, tmp_path):
    with pytest.raises(ValueError, match=r"race.gif', which shows one race, but there are 2; choose one, or write .html"):
        save([small, small], tmp_path / "race.gif")


def test_races_of_a_page_have_the_same_methods(small, tmp_path):
    pytest.importorskip("plotly")
    with pytest.raises(
        ValueError, match=r"races have the optimizers \[\('SGD',\), \('SGD', 'Adam', 'AMSGrad'\)\]; expected .* the same"
    ):
        save([small, race("bowl", optimizers=["SGD"], steps=2)], tmp_path / "race.html")
    with pytest.raises(ValueError, match=r"races have the optimizers \[\]; expected at least one race"):
        save([], tmp_path / "race.html")


def test_places_far_from_the_origin_are_exact_to_the_pixel():
    pytest.importorskip("plotly")
    from fastadam.viz.page import content

    far = race(lambda x, y: (x - 1000) ** 2 + y**2, lambda x, y: (2 * (x - 1000), 2 * y), start=(1001, 1), optimizers=["SGD"])
    (shown,) = content([far])["races"]
    path = far.trajectories["SGD"]
    np.testing.assert_allclose(shown["paths"]["SGD"][1][0]["x"], path.positions[:, 0], rtol=0, atol=1e-3)


@pytest.mark.parametrize(("suffix", "library"), [("html", "plotly"), ("gif", "matplotlib"), ("svg", "matplotlib")])
def test_without_the_extra(small, tmp_path, monkeypatch, suffix, library):
    for module in [library, *(name for name in sys.modules if name.startswith(f"{library}."))]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"{library} is missing; .*pip install 'fastadam\[viz\]'"):
        small.save(tmp_path / f"race.{suffix}")
