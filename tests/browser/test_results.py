"""Figures of a job in a real browser: bands with their densities, a window, spectra, vibrations, structures, long courses."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.app import EXECUTABLE
from tests.support.corpus import CORPUS
from tests.support.pages import admin_page
from tests.support.service import Service, mgo

pytestmark = pytest.mark.browser
CYCLES = 5000


def long_output() -> bytes:
    """An SCF whose cycles go on: the energy falls by a thousandth of its change each time."""
    data = (CORPUS / "mgo-scf/main.out").read_bytes()
    head = data[: data.index(b" CYC   1")]
    rows = [
        f" CYC {n:5d} ETOT(AU) -2.7121{n:08d}E+02 DETOT {-0.5 * 0.996**n:9.2E} tst  1.00E-05 PX  1.00E+00\n"
        for n in range(1, CYCLES)
    ]
    return head + "".join(rows).encode()


@pytest.fixture(scope="module")
def replaying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose only machine replays stored outputs, and one that is very long."""
    folder = tmp_path_factory.mktemp("replaying")
    (folder / "lab" / "bin").mkdir(parents=True)
    (folder / "lab" / "data" / "long").mkdir(parents=True)
    shutil.copy(EXECUTABLE, folder / "lab" / "bin")
    for case in CORPUS.iterdir():
        if case.is_dir():
            (folder / "lab" / "data" / case.name).symlink_to(case)
    (folder / "lab" / "data" / "long" / "main.out").write_bytes(long_output())
    config = f'[clusters.here]\nrunner_type = "local"\ncrystal = "{folder}/lab/bin/replay"\nworkdir = "{folder}/jobs"\n'
    service = Service(folder / "service", config + "cores = 4\nmax_jobs = 4\n")
    service.add_user()
    yield service.start()
    service.stop()


@pytest.fixture(scope="module")
def page(browser: Browser, replaying: Service) -> Iterator[Page]:
    with admin_page(browser, replaying) as page:
        yield page


def computed(service: Service, title: str, wait: bool = True) -> str:
    [job_id] = service.submit({"template": "scf", "cluster": "here", "parameters": mgo(f"replay {title}")})
    if wait:
        service.wait([job_id])
    return job_id


def test_bands_and_densities_in_a_window(page: Page, replaying: Service) -> None:
    job = computed(replaying, "mgo-spin/main.out with=mgo-spin,mgo-dos")
    page.goto(f"{replaying.url}/jobs/{job}")
    figure = page.locator("#figure-electronic")
    expect(figure.locator("svg.bands")).to_be_visible()
    expect(figure).to_contain_text("gap along the path 6.825 eV")
    before = figure.locator("svg polyline.curve").count()
    page.fill("#e_high", "5")
    page.press("#e_high", "Tab")
    expect(figure.locator("#e_high")).to_have_value("5")
    page.wait_for_function(f"() => document.querySelectorAll('#figure-electronic polyline.curve').length < {before}")
    expect(figure.locator(".legend")).to_contain_text("total")
    page.click("#figure-electronic details.api >> nth=0")
    expect(page.locator("#call-bands")).to_contain_text(f"{replaying.url}/api/v1/jobs/{job}/bands")


def test_spectra_and_vibrations(page: Page, replaying: Service) -> None:
    job = computed(replaying, "dry-ice-ir/main.out seconds=0.2")
    page.goto(f"{replaying.url}/jobs/{job}")
    figure = page.locator("#figure-vibrations")
    expect(figure).to_contain_text("3901.25")
    # The output holds infrared and Raman intensities: the infrared spectrum comes first.
    expect(figure.locator("polyline.curve")).to_have_count(2)
    infrared = figure.locator("polyline.curve").first
    sharp = infrared.get_attribute("points")
    page.fill("#width", "60")
    page.press("#width", "Enter")
    expect(figure.locator("#width")).to_have_value("60")
    expect(infrared).not_to_have_attribute("points", str(sharp))
    page.click("[data-mode='34']")
    expect(page.locator("[data-viewer]")).to_have_attribute("data-drawn", "mode 34", timeout=30000)
    expect(page.locator("[data-viewer] [data-words]")).to_contain_text("Mode 34")


def test_trajectories_supercells_and_surfaces(page: Page, replaying: Service) -> None:
    job = computed(replaying, "mgo-opt/main.out cube=1")
    page.goto(f"{replaying.url}/jobs/{job}")
    page.click("[data-show]")
    box = page.locator("[data-viewer]")
    expect(box).to_have_attribute("data-drawn", "frame 5", timeout=30000)
    expect(box.locator("[data-words]")).to_contain_text("Point 6 of 6")
    page.locator("#frame").fill("0")
    expect(box).to_have_attribute("data-drawn", "frame 0")
    page.select_option("#supercell", "2")
    page.select_option("#cube", "DENS_CUBE.DAT")
    expect(box).to_have_attribute("data-surface", "DENS_CUBE.DAT", timeout=30000)
    assert float(page.input_value("#isovalue")) > 0


def test_a_job_of_five_thousand_cycles_stays_responsive(page: Page, replaying: Service) -> None:
    """Its page is small, its curve is drawn, and a click is answered at once while more cycles come in."""
    job = computed(replaying, "long/main.out seconds=12", wait=False)
    page.goto(f"{replaying.url}/jobs/{job}")
    page.wait_for_function(
        "() => Number(document.querySelector(\"[data-plot='scf']\")?.dataset.points) > 1000", timeout=60000
    )
    # The longest time that the page did not answer, measured by the page itself while curves are drawn.
    longest = page.evaluate(
        """() => new Promise((resolve) => {
            let last = performance.now(), longest = 0;
            const look = () => { const now = performance.now(); longest = Math.max(longest, now - last); last = now; };
            const timer = setInterval(look, 20);
            setTimeout(() => { clearInterval(timer); resolve(longest); }, 4000);
        })"""
    )
    print(f"the page of a growing job did not answer for at most {longest:.0f} ms")
    page.click("#course details summary")
    expect(page.locator("#course table").first).to_be_visible()
    page.wait_for_function(
        f"() => Number(document.querySelector(\"[data-plot='scf']\").dataset.points) == {CYCLES}", timeout=90000
    )
    # Where no pointer is, the legend tells the newest cycle.
    legend = page.locator("[data-plot='scf'] .u-legend")
    expect(legend).to_contain_text(f"{CYCLES - 1:,}")
    expect(legend).to_contain_text("1.00e-7")
    size = len(page.evaluate("document.documentElement.outerHTML"))
    assert size < 100_000, size


def test_a_comparison_lays_structures_over_each_other(page: Page, replaying: Service) -> None:
    cases = ("mgo-opt/main.out", "mgo-b3lyp/main.out")
    jobs = [computed(replaying, f"{case} seconds=0.1") for case in cases]
    page.goto(f"{replaying.url}/jobs/compare?id={jobs[0]}&id={jobs[1]}")
    expect(page.locator("table").first).to_contain_text("MgO")
    page.click("[data-show]")
    expect(page.locator("[data-overlay]")).to_have_attribute("data-drawn", "2", timeout=30000)


def test_a_file_is_searched_and_looked_at_on_the_cluster(page: Page, replaying: Service) -> None:
    job = computed(replaying, "mgo-opt/main.out seconds=0.1")
    page.goto(f"{replaying.url}/jobs/{job}/look/scf.out")
    page.fill("#find", "OPT END")
    page.click("button:has-text('Find')")
    expect(page.locator("pre.file")).to_contain_text("OPT END - CONVERGED")
    page.goto(f"{replaying.url}/jobs/{job}")
    page.click("#cluster-files a")
    page.click("#cluster-files a:has-text('scf.out')")
    expect(page.locator("p.quiet").first).to_contain_text("on the cluster")
