"""Corrupted copies of the evidence base, each with the violations it must cause."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from metablin.datasets import data_directory

# file, row, line, column, value, rule
Expected = tuple[str, int | None, int | None, str, str, str]


class Copy:
    """A copy of the evidence base that can be damaged cell by cell."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        for path in data_directory().iterdir():
            if path.is_file():
                shutil.copy(path, directory / path.name)

    def read(self, file: str) -> list[list[str]]:
        with (self.directory / file).open(encoding="utf-8", newline="") as stream:
            return list(csv.reader(stream))

    def write(self, file: str, rows: list[list[str]]) -> None:
        with (self.directory / file).open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows(rows)

    def find(self, file: str, **where: str) -> int:
        """Return the number of the first data row whose cells are as given."""
        header, *rows = self.read(file)
        for number, row in enumerate(rows, start=1):
            if all(row[header.index(column)] == value for column, value in where.items()):
                return number
        raise LookupError(f"{file}: {where}")

    def set(self, file: str, number: int, **cells: str) -> None:
        rows = self.read(file)
        for column, value in cells.items():
            rows[number][rows[0].index(column)] = value
        self.write(file, rows)

    def replace(self, file: str, old: bytes, new: bytes) -> None:
        path = self.directory / file
        content = path.read_bytes()
        assert old in content
        path.write_bytes(content.replace(old, new, 1))

    def descriptor(self, change: Callable[[dict], object]) -> None:  # type: ignore[type-arg]
        path = self.directory / "datapackage.json"
        content = json.loads(path.read_text(encoding="utf-8"))
        change(content)
        path.write_text(json.dumps(content), encoding="utf-8")


@dataclass(frozen=True)
class Corruption:
    """A way to damage a copy; returns what validation must report, all of it."""

    name: str
    damage: Callable[[Copy], list[Expected]]


CORRUPTIONS: list[Corruption] = []


def corruption(damage: Callable[[Copy], list[Expected]]) -> Callable[[Copy], list[Expected]]:
    CORRUPTIONS.append(Corruption(damage.__name__, damage))
    return damage


def cell(
    copy: Copy, file: str, key: str, column: str, value: str, rule: str, **others: str
) -> list[Expected]:
    """Put `value` in the cell of the row called `key`; expect one violation there."""
    name = copy.read(file)[0][0]
    number = copy.find(file, **{name: key})
    copy.set(file, number, **{column: value}, **others)
    return [(file, number, number + 1, column, value, rule)]


@corruption
def swapped_columns(copy: Copy) -> list[Expected]:
    rows = copy.read("proportions.csv")
    i, j = rows[0].index("events"), rows[0].index("n")
    for row in rows:
        row[i], row[j] = row[j], row[i]
    copy.write("proportions.csv", rows)
    return [
        ("proportions.csv", None, 1, "events", "n", "header"),
        ("proportions.csv", None, 1, "n", "events", "header"),
    ]


@corruption
def swapped_cells(copy: Copy) -> list[Expected]:
    events, n = "271", "91"
    return cell(copy, "proportions.csv", "prop-tower-001", "events", events, "events_within_n", n=n)


@corruption
def events_above_n(copy: Copy) -> list[Expected]:
    return cell(copy, "safety.csv", "safe-tower-001", "events", "268", "events_within_n")


@corruption
def unknown_source_key(copy: Copy) -> list[Expected]:
    return cell(
        copy, "survival.csv", "surv-tower-003", "source_key", "kantarjian2071", "foreign_key"
    )


@corruption
def unknown_trial(copy: Copy) -> list[Expected]:
    return cell(copy, "survival.csv", "surv-tower-003", "trial_id", "towr", "foreign_key")


@corruption
def interval_excludes_estimate(copy: Copy) -> list[Expected]:
    return cell(copy, "contrasts.csv", "cont-tower-001", "estimate", "0.95", "estimate_in_interval")


@corruption
def interval_reversed_without_estimate(copy: Copy) -> list[Expected]:
    number = copy.find("contrasts.csv", row_id="cont-tower-001")
    copy.set("contrasts.csv", number, estimate="", ci_low="0.93", ci_high="0.55")
    return [
        ("contrasts.csv", number, number + 1, "ci_low", "0.93", "estimate_in_interval"),
    ]


@corruption
def median_outside_interval(copy: Copy) -> list[Expected]:
    return cell(copy, "survival.csv", "surv-tower-001", "median_months", "77", "median_in_interval")


@corruption
def proportion_of_43(copy: Copy) -> list[Expected]:
    return cell(copy, "survival.csv", "surv-tower-003", "survival", "43", "maximum")


@corruption
def duplicate_row_id(copy: Copy) -> list[Expected]:
    rows = copy.read("safety.csv")
    number = copy.find("safety.csv", preferred="false")
    copy.write("safety.csv", [*rows, rows[number]])
    return [("safety.csv", len(rows), len(rows) + 1, "row_id", rows[number][0], "unique")]


@corruption
def byte_that_is_not_utf8(copy: Copy) -> list[Expected]:
    number = copy.find("trials.csv", trial_id="tower")
    copy.replace("trials.csv", b"tower,TOWER", b"tower,TOW\xe9R")
    return [("trials.csv", number, number + 1, "acronym", "TOW\\xe9R", "utf8")]


@corruption
def byte_that_is_not_utf8_in_the_header(copy: Copy) -> list[Expected]:
    copy.replace("references.csv", b"journal", b"journ\xe4l")
    return [
        ("references.csv", None, 1, "journal", "", "header"),
        ("references.csv", None, 1, "journ\\xe4l", "", "header"),
    ]


@corruption
def empty_file(copy: Copy) -> list[Expected]:
    (copy.directory / "safety.csv").write_bytes(b"")
    return [("safety.csv", None, None, "", "", "empty_file")]


@corruption
def header_without_rows(copy: Copy) -> list[Expected]:
    copy.write("sums.csv", copy.read("sums.csv")[:1])
    return [("sums.csv", None, None, "", "", "no_rows")]


@corruption
def missing_table(copy: Copy) -> list[Expected]:
    (copy.directory / "references.csv").unlink()
    return [("references.csv", None, None, "", "", "missing_file")]


@corruption
def missing_bibliography(copy: Copy) -> list[Expected]:
    (copy.directory / "references.bib").unlink()
    return [("references.bib", None, None, "", "", "missing_file")]


@corruption
def table_that_is_not_listed(copy: Copy) -> list[Expected]:
    shutil.copy(copy.directory / "trials.csv", copy.directory / "trials_old.csv")
    return [("trials_old.csv", None, None, "", "", "unlisted_file")]


@corruption
def unknown_enumeration(copy: Copy) -> list[Expected]:
    return cell(copy, "proportions.csv", "prop-tower-001", "confidence", "certain", "enum")


@corruption
def descriptor_that_is_not_json(copy: Copy) -> list[Expected]:
    copy.replace("datapackage.json", b'"resources": [', b'"resources": [,')
    return [("datapackage.json", None, None, "", "", "descriptor")]


@corruption
def descriptor_without_resources(copy: Copy) -> list[Expected]:
    copy.descriptor(lambda content: content.pop("resources"))
    return [("datapackage.json", None, None, "resources", "", "descriptor")]


@corruption
def descriptor_with_an_unknown_type(copy: Copy) -> list[Expected]:
    copy.descriptor(lambda c: c["resources"][0]["schema"]["fields"][0].update(type="text"))
    place = "resources[0].schema.fields[0].type"
    return [("datapackage.json", None, None, place, "text", "descriptor")]


@corruption
def descriptor_with_a_rule_about_no_column(copy: Copy) -> list[Expected]:
    copy.descriptor(lambda c: c["resources"][1]["rules"][0].update(check="events <= total"))
    return [("datapackage.json", None, None, "proportions", "total", "descriptor")]


@corruption
def missing_descriptor(copy: Copy) -> list[Expected]:
    (copy.directory / "datapackage.json").unlink()
    return [("datapackage.json", None, None, "", "", "descriptor")]


@corruption
def row_with_too_many_cells(copy: Copy) -> list[Expected]:
    rows = copy.read("proportions.csv")
    rows[7] = [*rows[7], "surplus"]
    copy.write("proportions.csv", rows)
    return [("proportions.csv", 7, 8, "", "surplus", "too_many_cells")]


@corruption
def row_with_too_few_cells(copy: Copy) -> list[Expected]:
    rows = copy.read("proportions.csv")
    rows[7] = rows[7][:-1]
    copy.write("proportions.csv", rows)
    return [("proportions.csv", 7, 8, "replaced_by", "", "too_few_cells")]


@corruption
def blank_row(copy: Copy) -> list[Expected]:
    rows = copy.read("proportions.csv")
    copy.write("proportions.csv", [*rows[:3], [], *rows[3:]])
    return [("proportions.csv", 3, 4, "", "", "cells")]


@corruption
def missing_column(copy: Copy) -> list[Expected]:
    rows = copy.read("contrasts.csv")
    at = rows[0].index("model")
    copy.write("contrasts.csv", [row[:at] + row[at + 1 :] for row in rows])
    return [("contrasts.csv", None, 1, "model", "", "header")]


@corruption
def repeated_column(copy: Copy) -> list[Expected]:
    rows = copy.read("contrasts.csv")
    copy.write("contrasts.csv", [[*row, row[2]] for row in rows])
    return [("contrasts.csv", None, 1, rows[0][2], "", "header")]


@corruption
def word_for_a_number(copy: Copy) -> list[Expected]:
    return cell(copy, "proportions.csv", "prop-tower-001", "n", "27l", "type")


@corruption
def nan_for_a_number(copy: Copy) -> list[Expected]:
    return cell(copy, "survival.csv", "surv-tower-003", "survival", "nan", "type")


@corruption
def fraction_of_a_patient(copy: Copy) -> list[Expected]:
    return cell(copy, "proportions.csv", "prop-tower-001", "events", "91.5", "type")


@corruption
def empty_required_cell(copy: Copy) -> list[Expected]:
    return cell(copy, "proportions.csv", "prop-tower-001", "locator", "", "required")


@corruption
def space_around_a_slug(copy: Copy) -> list[Expected]:
    return cell(copy, "proportions.csv", "prop-tower-001", "arm", "blinatumomab ", "spaces")


@corruption
def derived_without_a_note(copy: Copy) -> list[Expected]:
    number = copy.find("proportions.csv", confidence="derived")
    copy.set("proportions.csv", number, note="")
    return [("proportions.csv", number, number + 1, "note", "", "derived_has_note")]


@corruption
def p_value_without_its_operator(copy: Copy) -> list[Expected]:
    number = copy.find("contrasts.csv", p_operator="<")
    copy.set("contrasts.csv", number, p_operator="")
    return [("contrasts.csv", number, number + 1, "p_operator", "", "p_value_has_operator")]


@corruption
def median_with_a_number_and_a_state(copy: Copy) -> list[Expected]:
    return cell(copy, "survival.csv", "surv-tower-001", "median_state", "NR", "median_or_landmark")


@corruption
def negative_ratio(copy: Copy) -> list[Expected]:
    number = copy.find("contrasts.csv", measure="hr", ci_low="", ci_high="")
    copy.set("contrasts.csv", number, estimate="-0.5")
    return [("contrasts.csv", number, number + 1, "estimate", "-0.5", "ratio_above_zero")]


@corruption
def enrolment_that_ends_before_it_starts(copy: Copy) -> list[Expected]:
    return cell(copy, "trials.csv", "tower", "enrolment_start", "2016", "enrolment_order")


@corruption
def second_preferred_row_of_a_quantity(copy: Copy) -> list[Expected]:
    header, *rows = copy.read("proportions.csv")
    row = dict(zip(header, rows[0], strict=True))
    number = copy.find(
        "proportions.csv",
        patient_set=row["patient_set"],
        outcome=row["outcome"],
        preferred="false",
    )
    first = copy.find(
        "proportions.csv",
        patient_set=row["patient_set"],
        outcome=row["outcome"],
        preferred="true",
    )
    copy.set("proportions.csv", number, preferred="true")
    last = max(first, number)
    return [("proportions.csv", last, last + 1, "preferred", "true", "one_preferred_row")]


@corruption
def pooled_row_preferred_beside_its_parts(copy: Copy) -> list[Expected]:
    rows = copy.read("safety.csv")
    header = rows[0]
    part = copy.find("safety.csv", patient_set="tower/blinatumomab", preferred="true")
    row = list(rows[part])
    sets = "tower/blinatumomab+blast/blinatumomab"
    for column, value in {"row_id": "safe-tower-999", "patient_set": sets}.items():
        row[header.index(column)] = value
    copy.write("safety.csv", [*rows, row])
    return [("safety.csv", len(rows), len(rows) + 1, "preferred", "true", "one_preferred_row")]


@corruption
def review_cell_that_points_nowhere(copy: Copy) -> list[Expected]:
    key = copy.read("seed_cells.csv")[1][0]
    return cell(copy, "seed_cells.csv", key, "row_id", "prop-tower-998", "target_exists")


@corruption
def review_cell_that_points_to_no_table(copy: Copy) -> list[Expected]:
    key = copy.read("seed_cells.csv")[1][0]
    return cell(copy, "seed_cells.csv", key, "table_name", "proportion", "target_exists")


@corruption
def discrepancy_about_no_row(copy: Copy) -> list[Expected]:
    key = copy.read("discrepancies.csv")[1][0]
    return cell(copy, "discrepancies.csv", key, "row_ids", "prop-tower-998", "rows_exist")


@corruption
def claim_with_a_result_and_an_excuse(copy: Copy) -> list[Expected]:
    number = copy.find("claims.csv", why_not="")
    copy.set("claims.csv", number, why_not="no source for n")
    value = "no source for n"
    return [("claims.csv", number, number + 1, "why_not", value, "result_or_reason")]


@corruption
def quote_that_is_never_closed(copy: Copy) -> list[Expected]:
    rows = copy.read("landscape.csv")
    path = copy.directory / "landscape.csv"
    tail = rows[-1]
    copy.write("landscape.csv", rows[:-1])
    with path.open("a", encoding="utf-8", newline="") as stream:
        stream.write(",".join(tail[:3]) + ',"' + ",".join(tail[4:]) + "\n")
    n = len(rows) - 1
    return [("landscape.csv", n, n + 1, rows[0][4], "", "too_few_cells")]


@corruption
def address_at_a_mirror(copy: Copy) -> list[Expected]:
    url = "http://192.0.2.10:8081/39047240"
    return cell(copy, "contrasts.csv", "cont-e1910-001", "source_url", url, "known_address")


@corruption
def address_that_is_words(copy: Copy) -> list[Expected]:
    words = "conference abstract"
    return cell(copy, "survival.csv", "surv-tower-003", "source_url", words, "known_address")


@corruption
def copy_of_nothing(copy: Copy) -> list[Expected]:
    return cell(copy, "safety.csv", "safe-tower-001", "source_url", "copy:", "known_address")


@corruption
def report_from_the_future(copy: Copy) -> list[Expected]:
    date = "2999-01"
    return cell(copy, "references.csv", "kantarjian2017", "public_date", date, "not_in_the_future")


@corruption
def search_in_the_future(copy: Copy) -> list[Expected]:
    return cell(copy, "searches.csv", "search-001", "date", "2999", "not_in_the_future")


@corruption
def reason_without_a_code(copy: Copy) -> list[Expected]:
    number = copy.find("screening.csv", row_id="scr-tower")
    copy.set("screening.csv", number, reason="patients of another cohort")
    return [("screening.csv", number, number + 1, "reason_code", "", "reason_has_code")]


@corruption
def left_out_without_a_reason(copy: Copy) -> list[Expected]:
    number = copy.find("screening.csv", row_id="scr-tower")
    copy.set("screening.csv", number, decision="left_out")
    place = ("screening.csv", number, number + 1)
    return [(*place, name, "", "left_out_has_reason") for name in ("reason_code", "reason")]


@corruption
def trial_that_was_not_screened(copy: Copy) -> list[Expected]:
    rows = copy.read("screening.csv")
    copy.write("screening.csv", [row for row in rows if row[0] != "scr-tower"])
    number = copy.find("trials.csv", trial_id="tower")
    return [("trials.csv", number, number + 1, "trial_id", "tower", "screened")]


@corruption
def unknown_domain_of_bias(copy: Copy) -> list[Expected]:
    return cell(copy, "risk_of_bias.csv", "rob-tower-001", "domain", "attrition", "enum")


@corruption
def unknown_answer(copy: Copy) -> list[Expected]:
    return cell(copy, "risk_of_bias.csv", "rob-tower-001", "answer", "maybe", "enum")


@corruption
def question_answered_twice(copy: Copy) -> list[Expected]:
    rows = copy.read("risk_of_bias.csv")
    number = copy.find("risk_of_bias.csv", row_id="rob-tower-001")
    again = [cell if cell != "rob-tower-001" else "rob-tower-999" for cell in rows[number]]
    copy.write("risk_of_bias.csv", [*rows, again])
    n = len(rows)
    return [("risk_of_bias.csv", n, n + 1, "question", "1.1", "answered_once")]


@corruption
def more_patients_at_risk_later(copy: Copy) -> list[Expected]:
    return cell(copy, "at_risk.csv", "risk-aall1731-002", "n_at_risk", "719", "falls_with_time")


@corruption
def rule_about_a_table_that_is_not_there(copy: Copy) -> list[Expected]:
    def change(content: dict) -> None:  # type: ignore[type-arg]
        (rule,) = (r for r in content["resources"][0]["rules"] if r["name"] == "screened")
        rule["table"] = "screenings"

    copy.descriptor(change)
    place = ("datapackage.json", None, None)
    return [(*place, "trials.screened", "screenings", "descriptor")]


@corruption
def several_at_once(copy: Copy) -> list[Expected]:
    return [
        *unknown_enumeration(copy),
        *interval_excludes_estimate(copy),
        *proportion_of_43(copy),
        *events_above_n(copy),
        *missing_bibliography(copy),
    ]


CORRUPTIONS.pop(-1)
SEVERAL = several_at_once
