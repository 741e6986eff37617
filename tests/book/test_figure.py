"""Figures: the same drawing gives the same bytes, and the footer covers nothing."""

import re

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from tenfold.book import figure as figures
from tenfold.book import style

FOOTER = "Data: NANOGrav 15 yr HD (mirror), degrees of freedom (embedded) | tenfold gb-igw, scale laptop, seed 0"
LONG = " ".join([FOOTER] * 4)


@pytest.fixture(autouse=True)
def styled(checkout):
    """Every figure here has the workbook's style; afterwards matplotlib is as it was."""
    with plt.rc_context():
        style.apply()
        yield
    plt.close("all")


def drawn(layout="constrained", width=style.WIDTH_SINGLE):
    made, axes = plt.subplots(2, 2, figsize=(width, 3), layout=layout)
    x = np.linspace(0, 1, 50)
    for k, ax in enumerate(axes.flat):
        ax.plot(x, x**k, label=f"$x^{k}$")
        ax.fill_between(x, 0, x, alpha=0.3)
        ax.set(xlabel="time (s)", ylabel="signal (V)", title="panel")
        ax.legend()
    made.suptitle("A title")
    return made


def crowded(layout):
    """A figure whose legend hangs out of the canvas, below and to the left."""
    made = drawn(layout)
    made.legend(*made.axes[1].get_legend_handles_labels(), loc="upper center", bbox_to_anchor=(0.02, 0.02))
    return made


@pytest.mark.parametrize("draw", [drawn, crowded], ids=["plain", "crowded"])
@pytest.mark.parametrize("layout", ["constrained", "tight", "none"])
@pytest.mark.parametrize("footer", [FOOTER, LONG], ids=["short", "long"])
def test_the_footer_lies_below_everything_and_inside_the_page(draw, layout, footer):
    made = draw(layout)
    engine = made.get_layout_engine()
    with figures.footed(made, footer) as page:
        drawing = made.get_tightbbox()
        text = made.texts[-1]
        box = text.get_window_extent().transformed(made.dpi_scale_trans.inverted())
        assert text.get_text().replace("\n", " ") == footer
        assert box.y1 <= min(drawing.y0, 0)
        for ax in made.axes:
            assert not ax.get_tightbbox().transformed(made.dpi_scale_trans.inverted()).overlaps(box)
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
        assert page.y1 == pytest.approx(max(drawing.y1, 3))
    assert text not in made.texts
    assert made.get_layout_engine() is engine


def test_a_figure_keeps_the_width_of_its_column():
    with figures.footed(drawn(), FOOTER) as page:
        assert page.width == pytest.approx(style.WIDTH_SINGLE)


def test_the_saved_image_has_the_footer_in_its_strip_and_nowhere_else(tmp_path):
    bare, footed = tmp_path / "bare.png", tmp_path / "a.png"
    alone = drawn()  # its layout settled once, as for the footed one
    alone.draw_without_rendering()
    alone.set_layout_engine("none")
    alone.savefig(bare, dpi=figures.DPI)
    figures.save(drawn(), tmp_path, "a", FOOTER)
    top, whole = plt.imread(bare), plt.imread(footed)
    assert whole.shape[1] == top.shape[1] and whole.shape[0] > top.shape[0]
    assert np.array_equal(whole[: top.shape[0]], top)
    assert whole[top.shape[0] :, :, :3].min() < 0.6, "the strip has ink"


def test_the_vector_image_has_the_page_of_the_bitmap(tmp_path):
    figures.save(drawn(), tmp_path, "a", FOOTER)
    height, width = plt.imread(tmp_path / "a.png").shape[:2]
    head = (tmp_path / "a.svg").read_text()[:2000]
    points = [float(re.search(rf'{side}="([0-9.]+)pt"', head)[1]) for side in ("width", "height")]
    assert points == pytest.approx([width * 72 / figures.DPI, height * 72 / figures.DPI], abs=0.5)


def test_the_same_drawing_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        figures.save(drawn(), tmp_path / name, "a", FOOTER)
    for form in ("svg", "png"):
        one, two = ((tmp_path / name / f"a.{form}").read_bytes() for name in ("one", "two"))
        assert one == two
    assert b"<dc:date>" not in (tmp_path / "one" / "a.svg").read_bytes()


def test_figures_made_without_pyplot_and_dollars_in_footers_are_fine(tmp_path):
    made = Figure(figsize=(2, 2))
    made.subplots().plot([0, 1])
    figures.save(made, tmp_path, "a", "Data: $5 and $x_{ (real)")
    assert (tmp_path / "a.svg").read_bytes().startswith(b"<?xml")


def test_a_failed_save_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(Figure, "savefig", lambda *args, **more: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        figures.save(drawn(), tmp_path, "a", FOOTER)
    assert list(tmp_path.glob("**/.a*")) == [] and not (tmp_path / "a.png").exists()


def test_the_style_is_the_one_of_the_palette():
    assert tuple(plt.rcParams["axes.prop_cycle"].by_key()["color"]) == style.CYCLE
    assert plt.rcParams["font.size"] == 8
    assert plt.rcParams["figure.figsize"][0] == style.WIDTH_SINGLE
    assert not plt.rcParams["axes.spines.top"] and not plt.rcParams["axes.spines.right"]


def _linear(channel):
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def test_every_colour_of_the_cycle_stands_out_from_paper():
    """The luminance contrast (L1 + 0.05) / (L2 + 0.05) with white is at least 2 for lines of 1.2 points."""
    from matplotlib.colors import to_rgb

    for colour in style.CYCLE:
        red, green, blue = map(_linear, to_rgb(colour))
        assert 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05) > 2
