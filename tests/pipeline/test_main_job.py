"""The main job on the real evidence: results, report, ledger, verification."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from metablin.pipeline import runner
from metablin.pipeline.verify import compare
from tests.cli.runner import ROOT, metablin

MIN_FIGURES = 6
MIN_CLAIMS = 200
MIN_REPRODUCED = 120
MAX_ADVERSE_EVENT_CLAIMS = 60


@pytest.fixture
def out(main_job: Path) -> Path:
    return main_job


def test_the_report_needs_no_other_host_and_shows_figures(out: Path) -> None:
    html = (out / "report.html").read_text(encoding="utf-8")
    links = re.findall(r'(?:src|href)\s*=\s*"([^"]*)"', html) + re.findall(r"url\(([^)]*)\)", html)
    assert [link for link in links if not link.startswith("#")] == []
    assert "<script" not in html
    assert html.count('<svg role="img" aria-label="') >= MIN_FIGURES
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    targets = {link[1:] for link in links}
    assert targets <= set(ids)


def test_the_ledger_leaves_nothing_unexplained(out: Path) -> None:
    claims = pd.read_csv(out / "claims.csv", dtype={"seed": str})
    counts = claims["status"].value_counts()
    assert len(claims) >= MIN_CLAIMS
    assert counts["reproduced"] >= MIN_REPRODUCED
    assert "differs (unexplained)" not in counts
    assert set(claims["seed"]) == {"000", "001", "002", "003", "004"}
    assert (claims["kind"] == "adverse_event").sum() <= MAX_ADVERSE_EVENT_CLAIMS


def test_a_reproduced_claim_is_computed_not_copied(out: Path) -> None:
    """A result column that holds a computed number, never a column read from the claim's row."""
    claims = pd.read_csv(out / "claims.csv")
    used = claims.loc[claims["status"] == "reproduced", "result"].str.split("/", expand=True)
    arithmetic = used.loc[used[0] == "arithmetic"]
    assert set(arithmetic[3]) <= {
        *("rate", "conf_low", "conf_high", "wilson_low", "wilson_high", "p_two_sided"),
        *("p_one_sided", "estimate_from_interval", "odds_ratio", "risk_ratio", "risk_difference"),
        *("fisher_p", "events_implied", "survivors_implied", "median_years", "value"),
        "std_error_complete",
    }


def test_the_manifest_covers_every_file(out: Path) -> None:
    manifest = json.loads((out / "manifest.json").read_text())
    digests = dict(manifest["published"])
    for entry in manifest["analyses"].values():
        digests |= entry["outputs"]
    files = {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()} - {"manifest.json"}
    assert files == set(digests)
    for name, digest in digests.items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest


# Quick analyses, several of each kind of content; that draws of patients are the same in another
# process is a test of the reconstruction.
QUICK = ("adverse_events", "arithmetic", "landscape", "pharmacokinetics", "response")


def test_one_job_writes_the_bytes_of_two(out: Path, tmp_path: Path) -> None:
    other = tmp_path / "results"
    runner.reproduce(QUICK, folder=ROOT / "analyses", out=other, jobs=1)
    compared = 0
    for name in QUICK:
        for path in sorted((other / name).iterdir()):
            assert path.read_bytes() == (out / name / path.name).read_bytes(), path.name
            compared += 1
    assert compared > len(QUICK)


def test_a_second_run_is_all_up_to_date(out: Path, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "results")
    result = metablin("reproduce", "--out", tmp_path / "results")
    assert result.returncode == 0
    assert re.search(r"(\d+) analyses, \1 up to date, 0 computed", result.stdout)


def test_the_results_are_the_expected_ones_and_explain_every_claim(out: Path) -> None:
    found = compare(ROOT / "analyses", out)
    assert found.drift.to_dict("records") == []
    assert found.ok
    assert found.to_dict()["counts"]["reproduced"] >= MIN_REPRODUCED


def test_verify_notices_a_moved_number(tmp_path: Path) -> None:
    folder = tmp_path / "analyses"
    shutil.copytree(ROOT / "analyses", folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in folder.glob("*/words.toml"):
        if path.parent.name not in ("landscape", "response"):
            path.unlink()
    expected = folder / "expected" / "response.json"
    values = json.loads(expected.read_text())
    values["pooled"]["paediatric_rr"]["estimate"] *= 1.01
    expected.write_text(json.dumps(values))
    result = metablin("verify", "--analyses", folder)
    assert result.returncode == 1
    assert "DRIFT response/pooled/paediatric_rr/estimate" in result.stdout
    assert (
        result.stdout.strip()
        .splitlines()[-1]
        .endswith("1 result values differ from the expected ones")
    )


def test_an_unknown_analysis_is_one_line() -> None:
    result = metablin("reproduce", "nothing")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "nothing" in result.stderr
    assert "response" in result.stderr
