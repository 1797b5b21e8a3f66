"""The pictures and figures of the bench are those of docs/bench.json."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from tests.bench import picture, readme, record


@pytest.mark.parametrize("path", picture.drawn(), ids=lambda path: path.name)
def test_a_picture_is_the_one_that_its_figures_give(path: Path) -> None:
    assert path.read_text() == picture.drawn()[path], "draw it anew: python -m tests.bench.picture"


def test_the_record_names_date_machine_and_peers() -> None:
    told = record.read()
    assert {"date", "machine", "python", "peers", "measurements"} <= told.keys()


def test_a_program_without_a_figure_has_a_full_bar_and_is_said_to_be_not_within_the_time() -> None:
    drawn = picture.draw("Seconds & more", {"restart": {"portmap": 0.5, "other <1>": None}})
    rectangles = [each for each in ET.fromstring(drawn).iter() if each.tag.endswith("rect")]  # noqa: S314  # ours
    bars = {each.get("class"): float(each.get("width", 0)) for each in rectangles}
    assert bars["other"] == pytest.approx(bars["ours"])
    assert "not within the time" in drawn


def test_the_table_of_figures_in_readme_is_that_of_the_last_bench() -> None:
    text = (record.FILE.parents[1] / "README.md").read_text(encoding="utf-8")
    assert "\n".join(readme.lines()) in text, "print it anew: python -m tests.bench.readme"
