"""The page of the race in a browser, where there is one: it runs, keys work, and its paths have the kernels' bits."""

import dataclasses
import itertools
import shutil

import numpy as np
import pytest

from fastadam.viz import METHODS, SURFACES, race, save
from fastadam.viz.page import content
from fastadam.viz.trajectory import QUANTITIES, noise_of, trajectory

pytest.importorskip("plotly")
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def result():
    return race("bowl", steps=30, optimizers=["SGD", "Adam"], lr={"SGD": 0.01, "Adam": 0.3})


def paths_of(page):
    """The lines on the map: x and y by method, in the order in which they are drawn."""
    data = page.evaluate("document.getElementById('paths').data.filter((trace) => trace.mode === 'lines')")
    return {trace["name"]: [trace["x"], trace["y"]] for trace in data}


@pytest.fixture(scope="module")
def opened(result, tmp_path_factory):
    """Opens a page with a preference, and fails at the end if it had an error or asked for anything but itself."""
    folder = tmp_path_factory.mktemp("page")
    file, wrong = folder / "race.html", []
    result.save(file)
    save([race(name, steps=20, lr=0.01) for name in ("bowl", "beale")], folder / "all.html")
    bowl = SURFACES["bowl"]
    race(bowl.value, bowl.gradient, start=(1, 2), lr=0.01, steps=5, output=folder / "own.html")

    def note(request):
        if not request.url.startswith(folder.as_uri()) and not request.url.startswith(("data:", "blob:")):
            wrong.append(request.url)

    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=FLAGS)

        def open_page(name="race", **preferences):
            page = browser.new_page(**preferences)
            page.on("console", lambda message: wrong.append(message.text))
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("request", note)
            page.goto((folder / f"{name}.html").as_uri())
            page.wait_for_selector("#plots svg")
            return page

        yield open_page
        browser.close()
    assert wrong == []


def test_keys(opened):
    page = opened(reduced_motion="no-preference")
    assert page.inner_text("#play") == "Pause"  # it plays
    page.keyboard.press("Space")
    assert page.inner_text("#play") == "Play"
    steps = {"Home": 0, "ArrowRight": 1, "Shift+ArrowRight": 11, "ArrowLeft": 10, "End": 30, "Shift+ArrowLeft": 20}
    for key, step in steps.items():
        page.keyboard.press(key)
        assert page.inner_text("#count") == f"step {step} of 30"
        assert page.input_value("#step") == str(step)
    reached = set()
    for _ in range(24):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("document.activeElement.id || document.activeElement.ariaLabel || document.activeElement.type")
        )
    assert {
        "surface",
        "play",
        "step",
        "speed",
        "bias",
        "beta1",
        "startx",
        "checkbox",
        "Learning rate of Adam",
        "Look inside Adam",
    } <= reached


def test_motion_is_left_to_those_who_want_it(opened):
    page = opened(reduced_motion="reduce")
    assert page.inner_text("#play") == "Play"
    assert page.inner_text("#count") == "step 30 of 30"


@pytest.mark.parametrize("bias_correction", [True, False])
def test_values_are_those_of_the_race(opened, result, bias_correction):
    page = opened(reduced_motion="reduce")
    page.keyboard.press("Home")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.set_checked("#bias", bias_correction)
    path = result.trajectory("Adam", 1.0, bias_correction)
    for row, values in zip(page.query_selector_all("#values tbody tr"), path.inside.values(), strict=True):
        shown = [float(cell.inner_text().replace("−", "-")) for cell in row.query_selector_all("td")]  # noqa: RUF001
        assert shown == pytest.approx(values[2], rel=0.06)  # two digits at least
    assert float(page.inner_text("#methods tr:nth-child(2) .loss")) == pytest.approx(path.values[3], rel=0.01)
    assert paths_of(page)["Adam"] == path.positions[:4].T.tolist()


def test_choices(opened, result):
    page = opened(reduced_motion="reduce", color_scheme="dark", viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert list(paths_of(page)) == ["SGD", "Adam"]
    page.uncheck("#methods tr:nth-child(1) input[type=checkbox]")
    assert list(paths_of(page)) == ["Adam"]
    page.check("#methods tr:nth-child(1) input[type=radio]")
    assert page.inner_text("#inside") == "Inside SGD, step 30"
    page.select_option("#methods tr:nth-child(2) select", label="0.9")
    expected = result.trajectory("Adam", 3.0).values[-1]
    assert float(page.inner_text("#methods tr:nth-child(2) .loss").replace("−", "-")) == pytest.approx(expected, rel=0.06)  # noqa: RUF001


def test_it_begins_with_adam_on_top_of_what_it_is_made_of(opened):
    page = opened("all", reduced_motion="reduce")
    assert list(paths_of(page)) == ["SGD", "momentum", "RMSProp", "Adam"]
    page.click("#more")
    for name in METHODS:
        page.check(f"#methods label:text-is('{name}') input") if name not in paths_of(page) else None
    assert list(paths_of(page))[-1] == "Adam"
    assert set(paths_of(page)) == set(METHODS)
    losses = page.evaluate("document.getElementById('losses').data.map((trace) => [trace.name, trace.y.length])")
    assert losses == [[name, 21] for name in paths_of(page)]


def test_keys_move_the_race_after_a_surface_was_chosen(opened):
    page = opened("all", reduced_motion="no-preference")
    page.focus("#surface")
    page.keyboard.press("ArrowDown")
    assert page.input_value("#surface") == "1"
    page.keyboard.press("Space")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.input_value("#surface") == "1"
    assert page.inner_text("#count") == "step 1 of 20"
    page.keyboard.press("Space")
    assert page.inner_text("#play") == "Pause"


def test_start_follows_clicks_and_drags(opened):
    page = opened("all", reduced_motion="reduce", viewport={"width": 1000, "height": 800})
    box = page.locator("#map").bounding_box()
    (left, right), (bottom, top) = SURFACES["bowl"].region
    page.mouse.move(box["x"] + 48 + (box["width"] - 56) * 0.7, box["y"] + 8 + (box["height"] - 52) * 0.25)
    page.mouse.down()
    page.mouse.up()
    x, y = (float(page.input_value(f"#start{axis}")) for axis in "xy")
    assert (x, y) == pytest.approx((left + 0.7 * (right - left), top - 0.25 * (top - bottom)), abs=0.02)
    expected = race("bowl", start=(x, y), lr=0.01, steps=20, optimizers=["Adam"]).trajectories["Adam"]
    assert paths_of(page)["Adam"] == expected.positions.T.tolist()
    handle = page.locator("#handle").bounding_box()
    page.mouse.move(handle["x"] + 16, handle["y"] + 16)
    page.mouse.down()
    page.mouse.move(handle["x"] - 84, handle["y"] + 16, steps=3)
    page.mouse.up()
    assert float(page.input_value("#startx")) < x - 0.5
    page.fill("#starty", "-1")
    page.keyboard.press("Tab")
    assert paths_of(page)["SGD"][1][0] == -1
    page.click("#usual")
    assert [line[0] for line in paths_of(page)["SGD"]] == [*SURFACES["bowl"].start]


def test_a_function_of_ones_own_has_its_paths_and_no_other_start(opened):
    page = opened("own", reduced_motion="reduce")
    assert page.is_hidden("#trying")
    assert page.is_hidden("#decays")
    page.mouse.click(400, 300)
    assert [line[0] for line in paths_of(page)["SGD"]] == [1, 2]


BETAS = [(0.9, 0.999), (0.0, 0.0), (0.5, 0.9999), (0.995, 0.9)]


@pytest.mark.parametrize("surface", SURFACES)
def test_paths_in_the_page_have_the_bits_of_the_kernels(opened, surface, monkeypatch):
    """Of every method, with and without bias correction, from two starts, and of Adam and its like with other betas."""
    of = SURFACES[surface]
    page = opened(reduced_motion="reduce")
    known = content([race("bowl", lr=0.01, steps=1)])["methods"]
    starts = [of.start, tuple(low + 0.31 * (high - low) for low, high in of.region)]
    for name, start, betas in itertools.product(METHODS, starts, BETAS):
        if not METHODS[name].corrects_bias and betas != BETAS[0]:
            continue
        method = METHODS[name]
        if method.corrects_bias:
            method = dataclasses.replace(method, options={**method.options, "betas": betas})
        for bias, lr in itertools.product((True, False) if method.corrects_bias else (True,), (0.003, 0.3)):
            monkeypatch.setitem(METHODS, name, method)
            path = trajectory(dataclasses.replace(of, start=start), name, lr, steps=of.steps, bias_correction=bias)
            monkeypatch.undo()
            noise = noise_of(of, of.steps, 0).tolist() if of.noise else None
            asked = {"start": start, "steps": of.steps, "noise": noise, "lr": lr, "betas": betas, "bias": bias}
            found = page.evaluate(
                "([surface, method, asked, names]) => walk(SURFACES[surface], method, asked, names)",
                [surface, known[name], asked, QUANTITIES],
            )
            where = (name, start, betas, bias, lr)
            places = np.array([found["x"], found["y"]], np.float64).T
            finite = np.isfinite(path.positions)
            assert places[finite].astype(np.float32).tobytes() == path.positions[finite].tobytes(), where
            assert np.isnan(places[~finite]).all(), where
            for quantity, values in path.inside.items():
                here = np.array(found["inside"][quantity], np.float64).T
                values = np.where(np.isfinite(values), values, np.nan)
                np.testing.assert_allclose(here, values, rtol=1e-12, atol=0, err_msg=f"{where} {quantity}")
