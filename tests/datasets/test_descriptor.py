"""The descriptor is complete, and a broken one is named by its part."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from metablin.datasets import data_directory, validate
from tests.datasets.corruptions import Copy

TEXT = (data_directory() / "datapackage.json").read_text(encoding="utf-8")
DESCRIPTOR = json.loads(TEXT)
TABLES = [r for r in DESCRIPTOR["resources"] if r["type"] == "table"]
NAMES = [table["name"] for table in TABLES]
CITING = ["trials", "proportions", "survival", "contrasts", "mrd_stratified", "safety"]


def schema(resources: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = resources[1]["schema"]
    return found


@pytest.mark.parametrize("table", TABLES, ids=NAMES)
def test_tables_and_columns_are_described(table: dict[str, Any]) -> None:
    assert table["title"]
    assert table["description"].endswith(".")
    for field in table["schema"]["fields"]:
        assert field["description"].endswith("."), field["name"]


@pytest.mark.parametrize("table", TABLES, ids=NAMES)
def test_rules_are_described_and_named_once(table: dict[str, Any]) -> None:
    names = [rule["name"] for rule in table["rules"]]
    assert len(names) == len(set(names))
    assert all(rule["description"].endswith(".") for rule in table["rules"])


@pytest.mark.parametrize("name", CITING)
def test_trials_and_sources_are_foreign_keys(name: str) -> None:
    table = TABLES[NAMES.index(name)]
    keys = {key["fields"][0]: key["reference"] for key in table["schema"]["foreignKeys"]}
    assert keys["source_key"] == {"resource": "references", "fields": ["source_key"]}
    if name != "trials":
        assert keys["trial_id"] == {"resource": "trials", "fields": ["trial_id"]}


def test_every_file_of_the_base_is_listed() -> None:
    listed = {resource["path"] for resource in DESCRIPTOR["resources"]}
    found = {p.name for p in data_directory().iterdir() if p.suffix in (".csv", ".bib")}
    assert listed == found


def test_one_field_and_one_rule_a_line() -> None:
    lines = {line.strip().rstrip(",") for line in TEXT.splitlines()}
    for table in TABLES:
        for part in [*table["schema"]["fields"], *table["rules"]]:
            assert json.dumps(part, ensure_ascii=False) in lines


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], object], str, str]] = {
    "no table": (lambda c: c.update(resources=[]), "resources", "has no resources"),
    "resources no list": (lambda c: c.update(resources={}), "resources", "has no resources"),
    "resource no object": (
        lambda c: c["resources"].insert(0, "trials"), "resources[0].name", "lacks a text",
    ),
    "no name": (lambda c: c["resources"][1].pop("name"), "resources[1].name", "lacks a text"),
    "no path": (lambda c: c["resources"][1].pop("path"), "resources[1].path", "lacks a text"),
    "path elsewhere": (
        lambda c: c["resources"][1].update(path="../trials.csv"),
        "resources[1].path",
        "not a plain file name",
    ),
    "listed twice": (
        lambda c: c["resources"].append(c["resources"][1]),
        f"resources[{len(DESCRIPTOR['resources'])}].name",
        "listed twice",
    ),
    "no schema": (lambda c: c["resources"][1].pop("schema"), "resources[1].schema.fields", "list"),
    "no fields": (
        lambda c: schema(c["resources"]).update(fields=[]),
        "resources[1].schema",
        "has a table without fields",
    ),
    "no key": (
        lambda c: schema(c["resources"]).pop("primaryKey"),
        "resources[1].schema.primaryKey",
        "without one key column",
    ),
    "key no column": (
        lambda c: schema(c["resources"]).update(primaryKey=["id"]),
        "proportions",
        "names a column that is not in the table",
    ),
    "foreign key to nowhere": (
        lambda c: schema(c["resources"])["foreignKeys"][0]["reference"].update(resource="trial"),
        "proportions.trial_id",
        "has a foreign key to nowhere",
    ),
    "constraints no object": (
        lambda c: schema(c["resources"])["fields"][0].update(constraints=["required"]),
        "resources[1].schema.fields[0].constraints",
        "lacks an object",
    ),
    "column twice": (
        lambda c: schema(c["resources"])["fields"].append(schema(c["resources"])["fields"][0]),
        "proportions",
        "has a column twice",
    ),
    "limit no number": (
        lambda c: schema(c["resources"])["fields"][5]["constraints"].update(minimum="0"),
        "resources[1].schema.fields[5].minimum",
        "lacks a number",
    ),
    "pattern no pattern": (
        lambda c: schema(c["resources"])["fields"][0]["constraints"].update(pattern="["),
        "resources[1].schema.fields[0].pattern",
        "lacks a regular expression",
    ),
    "enumeration of numbers": (
        lambda c: schema(c["resources"])["fields"][0]["constraints"].update(enum=[1]),
        "resources[1].schema.fields[0].enum",
        "lacks a text",
    ),
    "rule about nothing": (
        lambda c: c["resources"][1]["rules"][0].update(check="events"),
        "resources[1].rules[0].check",
        "has a rule about nothing",
    ),
    "condition no object": (
        lambda c: c["resources"][1]["rules"][0].update(when="confidence"),
        "resources[1].rules[0].when",
        "lacks an object",
    ),
    "rule without a check": (
        lambda c: c["resources"][1]["rules"][0].pop("check"),
        "resources[1].rules[0]",
        "has a rule without one check",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_descriptor_is_named_by_its_part(name: str, tmp_path: Path) -> None:
    change, column, message = BROKEN[name]
    copy = Copy(tmp_path / "base")
    copy.descriptor(change)
    (violation,) = validate(copy.directory).violations
    assert (violation.file, violation.column, violation.rule) == (
        "datapackage.json",
        column,
        "descriptor",
    )
    assert message in violation.message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not valid JSON at line 1, column 1"),
        (b"[]", "is not a JSON object"),
        (b'{"resources": "\xff"}', "is not UTF-8 text at byte 15"),
        (b"[" * 100_000, "is nested too deeply"),
    ],
)
def test_a_descriptor_that_is_no_json_object_is_named(
    content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / "datapackage.json").write_bytes(content)
    (violation,) = validate(tmp_path).violations
    assert violation.message.startswith(message)
