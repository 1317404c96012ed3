"""Files of profiles: read back by what they are for, or by a reader of their specification."""

from __future__ import annotations

import gzip
import json
import pstats
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import stoffel
from stoffel.profiling import formats
from stoffel.profiling.stacks import INTERPRETER, Frame
from tests.profiling.profiles import sampled

SCHEMA = Path(__file__).with_name("speedscope.schema.json")


@pytest.mark.parametrize("ending", formats.FORMATS)
def test_the_end_of_the_name_tells_the_format(tmp_path: Path, ending: str) -> None:
    profile = sampled()
    profile.save(tmp_path / f"profile{ending}")
    assert (tmp_path / f"profile{ending}").read_bytes() == formats.FORMATS[ending](profile)


@pytest.mark.parametrize("name", ["profile", "profile.json", "profile.txt", "html"])
def test_another_end_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"ends with .html, .speedscope.json, .folded, .pstats or .pb.gz"):
        sampled().save(name)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(stoffel.SaveError, match="cannot write the file"):
        sampled().save(tmp_path / "missing" / "profile.html")


def test_folded_is_one_line_for_each_stack() -> None:
    assert formats.folded(sampled("always")).decode() == (
        "main_[c];twice_[c];leaf_[c];take_[f] 1000000\nmain_[c];twice_[c];take_[f] 1000000\n"
    )


def test_names_cannot_break_the_lines_of_folded() -> None:
    profile = sampled()
    profile.stacks.add([(Frame("a;b c\nd\ud800", INTERPRETER), 0)], 1.0)
    last = formats.folded(profile).decode().splitlines()[-1]
    assert re.fullmatch(r"a:b c\?d\?_\[i\] 1000000", last)


@pytest.mark.parametrize("most", [2_000_000, 0])
def test_speedscope_fits_its_schema(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(formats, "MOST_IN_ORDER", most)
    data = json.loads(formats.speedscope(sampled("always")))
    jsonschema.validate(data, json.loads(SCHEMA.read_text()))
    (profile,) = data["profiles"]
    names = [frame["name"] for frame in data["shared"]["frames"]]
    assert {"name": "leaf_[c]", "file": "<assembly>", "line": 3} in data["shared"]["frames"]
    stacks = [[names[item] for item in sample] for sample in profile["samples"]]
    leaf = ["main_[c]", "twice_[c]", "leaf_[c]", "take_[f]"]
    assert stacks == ([leaf, leaf[:2] + leaf[3:]] * 2 if most else [leaf, leaf[:2] + leaf[3:]])
    assert sum(profile["weights"]) == profile["endValue"] == 2.0


def test_the_schema_would_notice_something_else() -> None:
    data = json.loads(formats.speedscope(sampled()))
    data["profiles"][0]["unit"] = "hours"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, json.loads(SCHEMA.read_text()))


def test_pstats_reads_what_is_written_for_it(tmp_path: Path) -> None:
    path = tmp_path / "profile.pstats"
    sampled().save(path)
    found: Any = pstats.Stats(str(path))
    leaf, twice = ("<assembly>", 3, "leaf_[i]"), ("<assembly>", 8, "twice_[i]")
    take = ("~", 0, "take_[f]")
    assert found.total_tt == 2.0
    assert found.stats[take][:4] == (4, 4, 2.0, 2.0)
    assert found.stats[leaf][:4] == (2, 2, 0.0, 1.0)
    assert found.stats[take][4] == {leaf: (2, 2, 1.0, 1.0), twice: (2, 2, 1.0, 1.0)}
    done = subprocess.run(
        [sys.executable, "-c", "import pstats, sys; pstats.Stats(sys.argv[1]).print_callers()", str(path)],
        capture_output=True,
        check=True,
    )
    assert b"<assembly>:3(leaf_[i])" in done.stdout


def messages(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield number and value of the fields of a protocol buffer; what has a length is bytes."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = varint()
        assert tag & 7 in (0, 2)
        value: Any = varint()
        if tag & 7 == 2:
            data_of = data[at : at + value]
            at += value
            value = data_of
        yield tag >> 3, value


def fields(data: bytes) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for number, value in messages(data):
        found.setdefault(number, []).append(value)
    return found


def varints(data: bytes) -> list[int]:
    found, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            found.append(value)
            value = shift = 0
    return found


def test_pprof_has_the_fields_of_its_specification() -> None:
    profile = fields(gzip.decompress(formats.pprof(sampled())))
    strings = [text.decode() for text in profile[6]]
    assert strings[0] == ""
    kinds = [fields(item) for item in profile[1]]
    assert [(strings[kind[1][0]], strings[kind[2][0]]) for kind in kinds] == [
        ("samples", "count"),
        ("cpu", "nanoseconds"),
    ]
    names = {}
    for item in map(fields, profile[5]):
        names[item[1][0]] = strings[item[2][0]], strings[item[3][0]], strings[item[4][0]]
    places = {}
    for item in map(fields, profile[4]):
        line = fields(item[4][0])
        places[item[1][0]] = names[line[1][0]][0], line.get(2, [0])[0]
    samples = [fields(item) for item in profile[2]]
    stacks = {tuple(places[number] for number in varints(sample[1][0])): varints(sample[2][0]) for sample in samples}
    assert stacks == {
        (("take_[f]", 0), ("leaf_[i]", 0), ("twice_[i]", 0), ("main_[i]", 0)): [2, 1_000_000_000],
        (("take_[f]", 0), ("twice_[i]", 0), ("main_[i]", 0)): [2, 1_000_000_000],
    }
    assert ("take_[f]", "take", "") in names.values()
    assert ("leaf_[i]", "leaf", "<assembly>") in names.values()
    assert profile[10] == [2_000_000_000]
    assert profile[12] == [10_000_000]


class Page(HTMLParser):
    """What a browser would fetch, and the scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.scripts = ""
        self.policy = ""
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self._in_script = tag == "script"
        if named.get("http-equiv") == "Content-Security-Policy":
            self.policy = named["content"] or ""
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href", "action", "data")]

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, text: str) -> None:
        if self._in_script:
            self.scripts += text


def test_the_page_needs_nothing_else() -> None:
    page = Page(formats.html(sampled()).decode())
    assert page.fetched == ["data:,"]
    assert page.policy.startswith("default-src 'none';")
    assert not re.search(r"https?:|@import|url\(", formats.html(sampled()).decode())
    assert "fetch(" not in page.scripts
    assert "innerHTML" not in page.scripts


def page_data(page: Page) -> Any:
    return json.JSONDecoder().raw_decode(page.scripts, page.scripts.index("const data = ") + len("const data = "))[0]


def test_the_page_has_the_profile() -> None:
    data = page_data(Page(formats.html(sampled()).decode()))
    names = [data["frames"][call][0] for call in data["calls"][1:]]
    assert sorted(names) == ["leaf", "main", "take", "take", "twice"]
    assert sum(data["own"]) == data["seconds"] == 2.0
    assert data["listings"]["twice"][4] == [4, 13, "CALL leaf", 0.0, 1.0, None]
    assert [row["name"] for row in data["functions"]] == ["take", "leaf", "main", "twice"]


def test_a_name_cannot_end_the_script_of_the_page() -> None:
    profile = sampled()
    name = "</script><script>alert(1)</script><!--"
    profile.stacks.add([(Frame(name, INTERPRETER), 0)], 1.0)
    page = Page(formats.html(profile).decode())
    assert [name, 0] in page_data(page)["frames"]
    assert "alert" not in page.scripts.replace(json.dumps(name).replace("<", "\\u003c"), "")
