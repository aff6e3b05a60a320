"""Every rule catches what it is for, and lets a clean document pass."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from metablin.cli.site import OLDEST
from tests.site import checker
from tests.site.conftest import ROOT
from tests.site.documents import Document, parse

CLEAN = """---
title: "Page"
description: "About."
---

```{python}
value = "a"
```

## A heading

Text with `{python} value`, `code 12` and a citation [@known].

```bash
metablin pool 12
```
"""


def document(folder: Path, text: str) -> Document:
    path = folder / "page.qmd"
    path.write_text(text, encoding="utf-8")
    return parse(path)


def test_a_clean_document_passes(tmp_path: Path) -> None:
    clean = document(tmp_path, CLEAN)
    assert checker.check_source(clean, {"known"}) == []


@pytest.mark.parametrize(
    ("old", "new", "rule", "line"),
    [
        ('title: "Page"', "subtitle: x", "front matter", 1),
        ('description: "About."', "description: ''", "front matter", 1),
        ('title: "Page"', 'title: "Page"\npage-layout: wide', "front matter", 1),
        ('title: "Page"', 'title: "Page"\nexecute: {ecko: true}', "front matter", 1),
        (
            'title: "Page"',
            'title: "Page"\ninclude-in-header:\n  text: <script src="no.js"></script>',
            "front matter",
            1,
        ),
        ('value = "a"', '#| ouput: asis\nvalue = "a"', "cell option", 6),
        ('value = "a"', 'say("a")', "cell option", 6),
        ('value = "a"', "axes.figure", "alt text", 6),
        ("`{python} value`", '`{python} number("x/y/z")`', "inline code", 12),
        ("Text with", "In 42% of patients", "typed number", 12),
        ("Text with", "A ratio of 0.59", "typed number", 12),
        ("## A heading", "## The 5 trials", "typed number", 10),
        ("[@known]", "[@unknown2020]", "citation", 9),
    ],
)
def test_a_broken_document_is_named(
    tmp_path: Path, old: str, new: str, rule: str, line: int
) -> None:
    assert old in CLEAN
    broken = document(tmp_path, CLEAN.replace(old, new))
    problems = checker.check_source(broken, {"known"})
    assert any(p.startswith(f"page.qmd:{line}: {rule}: ") for p in problems), problems


def test_allowed_numbers_pass_in_their_own_file_only(tmp_path: Path) -> None:
    page = document(tmp_path, CLEAN.replace("Text with", "The CD19 antigen, with"))
    assert list(checker.typed_numbers(page, {"*": {"CD19"}})) == []
    assert list(checker.typed_numbers(page, {"page.qmd": {"CD19"}})) == []
    assert len(list(checker.typed_numbers(page, {"other.qmd": {"CD19"}}))) == 1


def test_every_allowed_number_has_a_reason() -> None:
    assert all(texts for texts in checker.allowed_numbers().values())


ASSEMBLED = """
::: {#fig-one}
![](picture.svg){fig-alt="A picture."}

Caption. [Data](data.csv)
:::

See @fig-one and [a place](other.qmd#a-place).

```{=html}
<a href="other.html">other</a>
```
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("picture.svg", "<svg/>"), ("data.csv", "key\n")):
        (tmp_path / name).write_text(text)
    (tmp_path / "other.qmd").write_text("# Other\n\n## A place\n")
    return tmp_path


def test_clean_output_passes(folder: Path) -> None:
    assert checker.check_assembled(document(folder, CLEAN), ASSEMBLED, folder) == []


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("@fig-one", "@fig-two", "cross-reference"),
        ("See @fig", "#### Deep\n\nSee @fig", "heading"),
        ("See @fig", "# Top\n\nSee @fig", "heading"),
        ("Caption. [Data](data.csv)\n", "", "caption"),
        ("[Data](data.csv)", "", "data"),
        ("\n::: {#fig-one}", "Text\n::: {#fig-one}", "blank line"),
        ('<a href="other.html">', "<table><tr><td>1</td></tr></table><a>", "table"),
        ('<a href="other.html">', '<i id="x"></i><i id="x"></i><a>', "label"),
        ("Caption.", "{#fig-one}", "label"),
        ('{fig-alt="A picture."}', "", "alt text"),
        ('{fig-alt="A picture."}', '{fig-alt=""}', "alt text"),
        ("data.csv", "nowhere.csv", "link"),
        ("other.qmd#a-place", "other.qmd#elsewhere", "link"),
        ("other.html", "absent.html", "link"),
        ("other.html", "../outside.html", "link"),
        ('<a href="other.html">', '<script src="https://example.org/x.js">', "remote"),
        ('<a href="other.html">', "<style>@import url(x)</style>", "remote"),
    ],
)
def test_broken_output_is_named(folder: Path, old: str, new: str, rule: str) -> None:
    assert old in ASSEMBLED
    text = ASSEMBLED.replace(old, new, 1)
    problems = checker.check_assembled(document(folder, CLEAN), text, folder)
    assert any(f": {rule}: " in p for p in problems), problems


def test_a_code_block_without_an_end_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"page\.qmd, line 6"):
        document(tmp_path, CLEAN[: CLEAN.index('value = "a"')])


@pytest.mark.parametrize(
    ("heading", "wanted"),
    [
        ("Where sources disagree", "where-sources-disagree"),
        ("Who lives longer, and by how much?", "who-lives-longer-and-by-how-much"),
        ("[Evidence](datasets.qmd)", "evidence"),
    ],
)
def test_headings_get_the_identifiers_that_pandoc_gives(heading: str, wanted: str) -> None:
    assert checker.heading_id(heading) == wanted


@pytest.mark.parametrize(
    ("place", "key"),
    [
        ((), "webiste"),
        (("project",), "pre-rendr"),
        (("website",), "favico"),
        (("website", "search"), "locaton"),
        (("format", "html"), "embed"),
        (("format", "html", "grid"), "width"),
        (("execute",), "freze"),
    ],
)
def test_a_key_that_quarto_does_not_know_is_named(place: tuple[str, ...], key: str) -> None:
    config = yaml.safe_load((ROOT / "site" / "_quarto.yml").read_text(encoding="utf-8"))
    assert list(checker.unknown_keys(config)) == []
    inner = config
    for name in place:
        inner = inner[name]
    inner[key] = True
    assert list(checker.unknown_keys(config)) == [".".join((*place, key))]


def test_what_is_newer_than_the_oldest_version_is_used_and_says_what_is_missed() -> None:
    config = yaml.safe_load((ROOT / "site" / "_quarto.yml").read_text(encoding="utf-8"))
    for place, words in checker.NEWER.items():
        *path, key = place.split(".")
        inner = config
        for name in path:
            inner = inner[name]
        assert key in inner, f"{place} is not used any more"
        assert key not in checker.KEYS[".".join(path)]
        assert tuple(map(int, words.split(";")[0].split("."))) > OLDEST
