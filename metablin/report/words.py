"""Codes of the evidence tables in words for people: arms, outcomes, patients, trials, sources."""

from __future__ import annotations

import re
from functools import cache

import pandas as pd

from metablin.datasets import load
from metablin.datasets.package import data_directory, read_package

__all__ = [
    "GRADES",
    "arm_words",
    "outcome_words",
    "patients_words",
    "short_names",
    "source_names",
    "spoken",
    "trial_labels",
    "typeset",
]

# Grades of adverse events and what came of them.
GRADES = {
    "any": "any grade",
    "grade3plus": "grade 3 or worse",
    "grade4plus": "grade 4 or worse",
    "serious": "serious",
    "fatal": "fatal",
    "discontinuation": "ending treatment",
    "interruption": "interrupting treatment",
}
OUTCOMES = {
    "os": "overall survival",
    "efs": "event-free survival",
    "dfs": "disease-free survival",
    "rfs": "relapse-free survival",
    "pfs": "progression-free survival",
    "dor": "duration of response",
    "post_hsct_survival": "survival after transplant",
    "cr": "complete remission (CR)",
    "crh": "CR with partial recovery of counts (CRh)",
    "cri": "CR with incomplete recovery of counts (CRi)",
    "cr_crh": "CR or CRh",
    "cr_cri": "CR or CRi",
    "cr_crh_cri": "CR, CRh or CRi",
    "cr_crh_cycle1": "CR or CRh in cycle 1",
    "cmr": "complete molecular response",
    "mmr": "major molecular response",
    "nrm": "non-relapse mortality",
    "dlt": "dose-limiting toxicity",
    "mtd": "maximum tolerated dose",
    "dfs_event": "event of disease-free survival",
    "efs_event": "event of event-free survival",
    "allohsct": "allogeneic transplant",
    "allohsct_any": "allogeneic transplant at any time",
    "relapse_isolated_bm": "relapse, marrow alone",
    "relapse_combined_bm": "relapse, marrow and elsewhere",
    "relapse_cns_em": "relapse, extramedullary in the CNS",
    "relapse_other_em": "relapse, extramedullary elsewhere",
}
ARMS = {
    "all_cases": "all cases",
    "blinatumomab_plus_chemotherapy": "blinatumomab plus chemotherapy",
    "blinatumomab_nivolumab": "blinatumomab plus nivolumab",
    "graall_2014b_backbone": "GRAALL-2014/B backbone",
    "hyper_cvad_blinatumomab": "hyper-CVAD plus blinatumomab",
    "ponatinib_blinatumomab": "ponatinib plus blinatumomab",
    "reinduction_block1": "reinduction block 1",
}
KINDS = {
    "allohsct": "allogeneic transplant",
    "allohsct_after": "transplant afterwards",
    "allohsct_in_ccr": "transplant in continuous remission",
    "bridged_to_cr": "bridged to remission",
    "cr": "CR",
    "cr_cri": "CR or CRi",
    "cr_crh": "CR or CRh",
    "cr_crh_cri": "CR, CRh or CRi",
    "crh": "CRh",
    "hsct_received": "transplant received",
    "itt218": "first 218 randomised",
    "matched": "matched",
    "mrd_evaluable": "evaluable for MRD",
    "mrd_response": "MRD response",
    "prior_hsct": "earlier transplant",
}
"""Parts of the patients that are there or not, by `name=yes` and `name=no`."""
PARTS = {
    "age": "age",
    "age_group": "",
    "analysis": "analysis",
    "analysis_set": "analysis set",
    "blasts": "blasts",
    "cr_number": "remission number",
    "disease": "",
    "disease_status": "",
    "mrd": "MRD",
    "mrd_baseline": "MRD at baseline",
    "ph": "Ph",
    "phase": "phase",
    "population": "",
    "pre_blina_mrd": "MRD before blinatumomab",
    "protocol": "",
    "salvage": "salvage",
    "source": "source",
    "update": "update",
    "weight": "weighted by",
}
"""Names of other parts; empty where the value says what it is."""
VALUES = {
    ("age", "elderly"): "elderly",
    ("age_group", "adult"): "adults",
    ("age_group", "paediatric"): "children",
    ("bridged_to_cr", "no"): "not bridged to remission",
    ("cr_number", "1"): "first remission",
    ("cr_number", "2"): "second remission",
    ("disease", "newly_diagnosed"): "newly diagnosed",
    ("ph", "negative"): "Ph-negative",
    ("ph", "positive"): "Ph-positive",
    ("relapse_site", "bm_em"): "relapse in marrow with or without extramedullary disease",
    ("salvage", "first"): "first salvage",
    ("salvage", "first_or_second"): "first or second salvage",
    ("source", "fda_label"): "from the FDA label",
    ("source", "modelled"): "modelled",
    ("source", "redigitised"): "digitised again",
}
PHRASES = {
    "mrd_positive": "MRD-positive",
    "mrd_negative": "MRD-negative",
    "mrd_guided": "MRD-guided",
    "cd19_negative": "CD19-negative",
    "relapsed_refractory": "relapsed/refractory",
    "ph_positive": "Ph-positive",
    "newly_diagnosed": "newly diagnosed",
    "relapse_free": "relapse-free",
    "event_free": "event-free",
    "blast_free": "blast-free",
    "(treatment|regimen)_related": r"\1-related",
    "grade3plus": "grade 3 or worse",
    "grade4plus": "grade 4 or worse",
    "not_applicable": "not applicable",
    "followup": "follow-up",
    "cutoff": "cut-off",
    "t_4_11": "t(4;11)",
    "cml_lbp": "CML in lymphoid blast phase",
    "blin_ct_matched": "blinatumomab, matched",
    "ino_vate": "INO-VATE",
    "gmall": "GMALL",
    "hyper_cvad": "hyper-CVAD",
    "interfant06": "Interfant-06",
    "calgb_10403": "CALGB 10403",
    "dfci_all": "DFCI ALL",
    "gimema_lal1913": "GIMEMA LAL1913",
    "graall-2014": "GRAALL-2014",
    "mrc_ukallxii_ecog2993": "MRC UKALLXII/ECOG2993",
    "pethema_all-96": "PETHEMA ALL-96",
    "mt103_(\\d+)": r"MT103-\1",
    "allrez": "ALL-REZ",
    "sr_avg": "standard, average",
    "sr_high": "standard, high",
}
NUMBERS = (
    (r"1e_3", "1e-3"),
    (r"(?<=\d)_(?=\d)", "\u2013"),
    (r"(?<![a-z])ge(?=\d)", "\u2265 "),
    (r"(?<![a-z])gt(?=\d)", "> "),
    (r"(?<![a-z])le(?=\d)", "\u2264 "),
    (r"(?<![a-z])lt(?=\d)", "< "),
    (r"(?<=\d)mo?(?![a-z])", " months"),
    (r"(?<=\d)y(?![a-z])", " years"),
    (r"(cycle|ecog|blina|block)(?=\d)", r"\1 "),
)
"""Numbers inside codes: ranges, comparisons and units."""
TOKENS = {
    **dict.fromkeys(
        ("ae", "allr3", "bmi", "chr", "cns", "cr1", "cr2", "crlf2", "dlt", "ecog", "eha2016"), ""
    ),
    **dict.fromkeys(("eha", "fda", "hr", "m1", "m2", "mrd", "ngs", "sr", "tki"), ""),
    "allohsct": "allogeneic transplant",
    "blina": "blinatumomab",
    "bm": "marrow",
    "ccr": "continuous remission",
    "cr": "CR",
    "crh": "CRh",
    "cri": "CRi",
    "em": "extramedullary",
    "hsct": "transplant",
    "ph": "Ph",
    "post": "after",
    "pre": "before",
    "sc": "subcutaneous",
}
NUMBER = re.compile(r"00\d")
REVIEW = re.compile(r"\bseeds? (00\d(?:(?: and | ?, ?)00\d)?)")
"""Review articles are cited by number."""
IDENTIFIER = re.compile(r"(?<![-\w/.])[a-z]\w*[0-9_]\w*(?![-\w/])")
"""Identifiers of trials and sources in running text; those of rows have hyphens."""
UNITS = ((r"\bug\b", "µg"), (r"/m2\b", "/m²"), (r">=", "≥"), (r"<=", "≤"))


def spoken(code: str) -> str:
    """Return a code as words: underscores are spaces, abbreviations are written as they are.

    Examples
    --------
    >>> spoken("baseline_prior_hsct"), spoken("ngs_mrd_negative"), spoken("baseline_blasts_ge50")
    ('baseline prior transplant', 'NGS MRD-negative', 'baseline blasts ≥ 50')
    """
    text = code
    for known, words in PHRASES.items():
        text = re.sub(rf"(?<![a-z0-9]){known}(?![a-z0-9])", words, text)
    for pattern, words in NUMBERS:
        text = re.sub(pattern, words, text)
    tokens = text.replace("_", " ").split()
    return " ".join((TOKENS[t] or t.upper()) if t in TOKENS else t for t in tokens)


def outcome_words(code: str) -> str:
    """Return an outcome or endpoint in words.

    Examples
    --------
    >>> outcome_words("os"), outcome_words("complete_mrd_response")
    ('overall survival', 'complete MRD response')
    """
    return OUTCOMES.get(code) or spoken(code)


def arm_words(code: str) -> str:
    """Return an arm, or several between bars, in words.

    Examples
    --------
    >>> arm_words("mrd_negative | mrd_positive"), arm_words("hyper_cvad_blinatumomab")
    ('MRD-negative; MRD-positive', 'hyper-CVAD plus blinatumomab')
    """
    parts = (re.match(r"(\S*)(.*)", part.strip()) for part in code.split("|"))
    return "; ".join((ARMS.get(p[1]) or spoken(p[1])) + p[2] for p in parts if p)


def patients_words(subgroup: str) -> str:
    """Return which patients of a trial a row is about.

    Parameters
    ----------
    subgroup : str
        ``all`` or parts as ``name=value``, separated by semicolons; trials whose patients are
        in the same set follow after plus signs.

    Examples
    --------
    >>> patients_words("all")
    'all patients'
    >>> patients_words("all;source=fda_label")
    'from the FDA label'
    >>> patients_words("prior_hsct=no;blasts=>=50")
    'no earlier transplant, blasts ≥ 50%'
    """
    own, *others = subgroup.split("+")
    parts = [part for part in own.split(";") if part and part != "all"]
    words = [_part(*part.partition("=")[::2]) for part in parts]
    words += [f"together with {spoken(re.split('[/;]', other)[0])}" for other in others]
    return ", ".join(words) or "all patients"


def _part(name: str, value: str) -> str:
    if not value:
        return spoken(name)
    if (name, value) in VALUES:
        return VALUES[name, value]
    if value in ("yes", "no"):
        words = KINDS.get(name) or spoken(name)
        return words if value == "yes" else f"no {words}"
    text = spoken(_signs(re.sub(r"^([<>]=?)|(?<=[a-z])([<>]=?)", r" \g<0> ", value)))
    if name == "blasts":
        text = f"{text}%"
    label = PARTS.get(name)
    if label == "":
        return text
    return f"{label} {text}" if label else f"{spoken(name)}: {text}"


def _signs(text: str) -> str:
    return text.replace(">=", "≥").replace("<=", "≤")


def trial_labels(trials: pd.DataFrame, references: pd.DataFrame) -> dict[str, str]:
    """Return what people call each trial: its acronym or name, else first author and year.

    Parameters
    ----------
    trials, references : pandas.DataFrame
        The evidence tables of these names.

    Examples
    --------
    >>> from metablin.datasets import load
    >>> labels = trial_labels(load("trials", all_rows=True), load("references"))
    >>> labels["tower"], labels["schlegel2014"]
    ('TOWER', 'Schlegel 2014')
    """
    sources = source_names(references)
    names = zip(trials["trial_id"], trials["acronym"].fillna(""), trials["source_key"], strict=True)
    return {trial: name or sources.get(source) or spoken(trial) for trial, name, source in names}


def source_names(references: pd.DataFrame) -> dict[str, str]:
    """Return every source that has an author by first author and year.

    Examples
    --------
    >>> from metablin.datasets import load
    >>> source_names(load("references"))["kantarjian2017"]
    'Kantarjian 2017'
    """
    pairs = zip(references["source_key"], references["first_author"].fillna(""), strict=True)
    names = {key: _author_year(str(author), key) for key, author in pairs}
    return {key: name for key, name in names.items() if name}


def _author_year(author: str, source: str) -> str:
    year = re.search(r"(19|20)[0-9]{2}", source)
    surname = " ".join(author.split()[:-1])
    return f"{surname} {year.group()}" if surname and year else ""


@cache
def review_keys() -> dict[str, str]:
    """Return the sources of the review articles by the numbers that stand for them."""
    fields = read_package(data_directory()).tables["claims"].fields
    return next(dict(field.sources) for field in fields if field.sources)


@cache
def short_names() -> dict[str, str]:
    """Return trials by what people call them, sources by author and year, by their identifiers."""
    references = load("references")
    reviews = {key: f"the review of {re.sub('[^0-9]', '', key)}" for key in review_keys().values()}
    trials = trial_labels(load("trials", all_rows=True), references)
    return {**reviews, **source_names(references), **trials}


def typeset(text: str) -> str:
    """Return a note or a place of the evidence with trials and sources by name, units as printed.

    Examples
    --------
    >>> typeset("seed 001 Table 1; 15 ug/m2/day; >=50%")
    'Lee 2016 Table 1; 15 µg/m²/day; ≥50%'
    >>> typeset("overlaps mt103_206 (dombret2019); see prop-mt103_206-001")
    'overlaps MT103-206 (Dombret 2019); see prop-mt103_206-001'
    """
    names = short_names()
    text = REVIEW.sub(lambda m: NUMBER.sub(lambda n: names[review_keys()[n[0]]], m[1]), text)
    text = re.sub(r"\bseed(s?)\b", r"review\1", re.sub(r"\bSeed(s?)\b", r"Review\1", text))
    text = IDENTIFIER.sub(lambda m: names.get(m[0], m[0]), text)
    for sign, words in UNITS:
        text = re.sub(sign, words, text)
    return text
