"""Names of columns: the words other programs and people use for the columns metablin asks for.

Names are compared without case, blanks and punctuation. A column with metablin's own name is that
column; without one, exactly one column with a known other name takes its place; two such columns
are two readings, and ``--columns`` has to say which.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from metablin.errors import DataError

__all__ = [
    "NAMES",
    "find",
    "is_share",
    "mapping",
    "percentile",
    "plain",
    "printed_level",
    "said_unit",
    "says_percent",
    "stands_for",
]

_WORDS = {
    "study": (
        "study studies trial author authors studlab slab label name studyid studyname row.names "
        "studie étude etude essai studyorsubgroup"
    ),
    "id": (
        "id arm group curve treatment trt strata stratum series dataset armname curveid treat "
        "gruppe groupe bras"
    ),
    "time": (
        "time t times x months month weeks days years timemonths monthsfrom timeinmonths "
        "os.time pfs.time followup futime survtime duration trisk timemonth ostime "
        "pfstime ostimemonths osmonths pfsmonths zeit monate temps mois"
    ),
    "survival": (
        "survival surv s y st s(t) os pfs efs rfs dfs probability prob "
        "survivalprobability survprob estimate survest km kmestimate overallsurvival "
        "progressionfreesurvival eventfreesurvival ossurvival freesurvival proportion "
        "überleben survie"
    ),
    "n_at_risk": (
        "n_at_risk nar nrisk n.risk atrisk numberatrisk numbersatrisk risk noatrisk "
        "patientsatrisk n unterrisiko àrisque arisque"
    ),
    "event": (
        "event status dead death died events delta eventstatus osevent osstatus pfsevent fustat "
        "vitalstatus survivalstatus deceased "
        "d pfsstatus ereignis événement evenement"
    ),
    "events": (
        "events event deaths death dead responses responders responder response cases "
        "case x xi r nevents noofevents numberofevents eventcount count successes success "
        "relapses d ei ereignisse événements evenements décès todesfälle"
    ),
    "n": (
        "n ni total totaln ntotal npatients patients numberofpatients noofpatients size "
        "samplesize ss nobs evaluable denominator subjects participants gesamt anzahl "
        "patienten effectif"
    ),
    "rate": (
        "rate proportion prop share p responserate orr crrate eventrate risk percentage percent"
    ),
    "person_time": (
        "person_time ti time py pyears personyears patientyears personmonths "
        "patientmonths exposure persondays patientdays followuptime totaltime t "
        "timeatrisk pyar"
    ),
    "events_treatment": (
        "events_treatment event.e events.e ai a tpos events1 event1 x1 x1i r1 e1 ee "
        "eventt eventst eventstrt eventtrt events.exp eventexp experimentalevents "
        "experimentalcases treatmentevents eventstreat interventionevents "
        "eventsintervention eventsexperimental treatedevents eventstreated"
    ),
    "n_treatment": (
        "n_treatment n.e n1i n1 ne nt ntrt ntreat nexp total1 experimentaltotal "
        "experimentaln treatmenttotal totalt totaltreatment interventiontotal "
        "nintervention total.e totalintervention nexperimental ntreated totalexperimental "
        "treatmentn"
    ),
    "non_events_treatment": "bi b tneg",
    "events_control": (
        "events_control event.c events.c ci c cpos events2 event2 x2 x2i r2 e2 ec "
        "eventsctrl eventctrl controlevents controlcases eventscon eventcon "
        "eventscomparator comparatorevents eventsplacebo placeboevents"
    ),
    "n_control": (
        "n_control n.c n2i n2 nc nctrl ncon total2 controltotal controln totalc "
        "totalcontrol total.c comparatortotal ncomparator nplacebo totalcomparator "
        "placebototal"
    ),
    "non_events_control": "di d cneg",
    "person_time_treatment": (
        "person_time_treatment time.e t1i t1 time1 py1 persontime1 timet personyears1 "
        "exposure1 timee pyt"
    ),
    "person_time_control": (
        "person_time_control time.c t2i t2 time2 py2 persontime2 timec personyears2 exposure2 pyc"
    ),
    "mean": "mean mi m mean1 average avg mw mittelwert moyenne xbar",
    "sd": "sd sdi s stddev stdev stdeviation standarddeviation standardabweichung écarttype",
    "mean_treatment": "mean_treatment mean.e m1i m1 me mt mean1 meanexp",
    "sd_treatment": "sd_treatment sd.e sd1i sd1 sde sdt sdexp",
    "std_error_treatment": "std_error_treatment se.e se1i se1 see set seexp sem1",
    "mean_control": "mean_control mean.c m2i m2 mc mean2 meanctrl",
    "sd_control": "sd_control sd.c sd2i sd2 sdc sdctrl",
    "std_error_control": "std_error_control se.c se2i se2 sec sectrl sem2",
    "r": "r ri cor corr correlation rho pearson korrelation",
    "estimate": (
        "estimate hr hazardratio est effect effectsize pointestimate hrestimate ratio expcoef"
    ),
    "conf_low": (
        "conf_low lower low lci cilow cilower ci.lb cilb lb ll lcl lowerci lowerlimit "
        "lowercl hrlb hrlower hrlow hrlci lowerhr ciupperlower cistart lo l lower.hr "
        "0.95lcl 0.9lcl 0.99lcl lowerbound confintlower hrcilow hrcilower cilo hrll lclhr"
    ),
    "conf_high": (
        "conf_high upper high uci cihigh ciupper ci.ub ciub ub ul ucl upperci upperlimit "
        "uppercl hrub hrupper hrhigh hruci upperhr ciend hi u upper.hr upperbound "
        "0.95ucl 0.9ucl 0.99ucl confintupper hrcihigh hrciupper cihi hrul uclhr obere "
        "obergrenze sup bornesup"
    ),
    "ratio": (
        "ratio estimate or oddsratio rr riskratio relativerisk irr rateratio "
        "incidencerateratio effect effectsize est pointestimate exp(b) aor"
    ),
    "log_ratio": (
        "log_ratio lnor logor logoddsratio lnoddsratio lnrr logrr logriskratio lnirr logirr "
        "lograteratio log_estimate te yi"
    ),
    "log_estimate": "log_estimate loghr lnhr loghazardratio lnhazardratio te",
    "yi": (
        "yi te y g d hedgesg cohensd smd es effect effectsize estimate est md beta b coef "
        "lnor logor lnrr logrr lnhr loghr givmean"
    ),
    "vi": "vi v var variance vte vary varyi",
    "std_error": (
        "std_error se sete sei stderr standarderror seg sed seyi givse sehr seloghr "
        "selnhr sety sdte stde"
    ),
    "level": "level conf_level conflevel confidence confidencelevel cilevel levelci",
    "median": (
        "median median_months medianos medianpfs medianefs mediantime mediansurvival medianinmonths"
    ),
    "median_low": "median_low median_ci_low medianlower medianlci medianlcl medianlowerci",
    "median_high": "median_high median_ci_high medianupper medianuci medianucl medianupperci",
    "followup": "followup followup_months medianfollowup fu medianfu",
    "followup_min": "followup_min minfollowup fumin",
    "followup_max": "followup_max maxfollowup fumax",
    "survival_low": "survival_low survival_ci_low survivallower survivallci survlower",
    "survival_high": "survival_high survival_ci_high survivalupper survivaluci survupper",
}


def plain(name: str) -> str:
    """Return a name as it is compared: no case, no blanks, no punctuation.

    Examples
    --------
    >>> plain("N. at risk"), plain("Survival (%)")
    ('natrisk', 'survival')
    """
    bare = re.sub(r"\(-", "(minus", name.casefold())  # R prints exp(coef) beside exp(-coef)
    return re.sub(r"[\W_]+", "", bare)


NAMES: Mapping[str, frozenset[str]] = {
    role: frozenset(plain(word) for word in words.split()) | {plain(role)}
    for role, words in _WORDS.items()
}
"""For every column metablin asks for, the names that stand for it."""

_ARMS = {
    "treatment": "t trt treat treatment treated e exp experimental int intervention active drug "
    "new test 1 arm1 group1",
    "control": "c con ctrl ctl control controls comp comparator placebo pbo pla soc standard "
    "reference 2 arm2 group2",
}
_QUANTITIES = {
    "events": "event events ev death deaths dead case cases responder responders response "
    "responses x r d success successes",
    "n": "n total totals patients pts participants size sample subjects randomised randomized "
    "ntotal evaluable",
    "person_time": "time persontime person years patient exposure py pt months followup",
    "mean": "mean means average m mw",
    "sd": "sd stddev stdev std standard deviation",
    "std_error": "se sem stderr standard error",
}
_FILLERS = frozenset({"no", "number", "of", "in", "the", "arm", "group", "i"})

_LEVEL = re.compile(r"(?<!\d)(50|68|80|84|90|95|97\.5|98|99|99\.5|99\.9)\s*%?(?!\d)")


_PERCENTILE = re.compile(
    r"(?:ci|q|conf|x)?[\s._]*(\d{1,2}\.\d+|\d{1,2}(?=\s*%))[\s._]*%?", re.IGNORECASE
)


def printed_level(header: str) -> float | None:
    """Return the confidence level a header such as ``lower 97.5% CI`` prints, or None.

    Examples
    --------
    >>> printed_level("97.5% CI lower"), printed_level("lower"), printed_level("97.5 %")
    (0.975, None, None)
    """
    share = re.match(r"0\.\d+(?=[lu]cl)", header, re.IGNORECASE)  # R's print of a survfit
    if share:
        return float(share[0])
    found = None if percentile(header) is not None else _LEVEL.search(header)
    return float(found[1]) / 100 if found else None


def percentile(header: str) -> float | None:
    """Return the share below a limit that R calls ``2.5 %`` or ``97.5 %``, or None.

    Examples
    --------
    >>> percentile("2.5 %"), percentile("97.5 % CI")
    (0.025, None)
    """
    found = _PERCENTILE.fullmatch(header.strip())
    share = float(found[1]) / 100 if found else 0.0
    return share if 0 < share < 1 else None


def says_percent(header: str) -> bool:
    """Tell whether a header says that its column is in percent.

    Examples
    --------
    >>> says_percent("ORR (%)"), says_percent("ORR")
    (True, False)
    """
    return "%" in header or bool(
        re.search(r"percent|(?<![a-z])pct(?![a-z])|prozent|pourcent", header, re.IGNORECASE)
    )


def said_unit(header: str) -> str | None:
    """Return the unit of time a header names: days, weeks, months or years, or None.

    Examples
    --------
    >>> said_unit("time (days)"), said_unit("OS_months"), said_unit("time")
    ('days', 'months', None)
    """
    words = re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", header).lower())
    found = {unit for unit, names in _UNITS.items() if set(words) & set(names.split())}
    return found.pop() if len(found) == 1 else None


_UNITS = {
    "days": "day days tage jours",
    "weeks": "week weeks wochen semaines",
    "months": "month months monate mois",
    "years": "year years yr yrs jahre ans années",
}

_COUNTED = re.compile(r"(?<![a-z])(?:n|no|number|count|anzahl)(?![a-z])|#", re.IGNORECASE)


def is_share(header: str) -> bool:
    """Tell whether a header such as ``response (%)`` is of shares; ``n (%)`` is of counts."""
    return says_percent(header) and not _COUNTED.search(header)


def stands_for(role: str, header: str) -> bool:
    """Tell whether a header is one of the names of a role, with or without its unit."""
    if is_share(header) and role in _COUNT_ROLES:
        return False
    without_unit = plain(re.sub(r"\([^)]*\)|\[[^\]]*\]|%", " ", header))
    if plain(header) in NAMES[role] or without_unit in NAMES[role]:
        return True
    if role == "rate" and is_share(header):
        return without_unit in NAMES["events"]
    if role.endswith(("_treatment", "_control")) and _arm_and_quantity(role, header):
        return True
    return role in ("conf_low", "conf_high") and _is_limit(role, header)


def _is_limit(role: str, header: str) -> bool:
    """Tell whether a header is a limit's name with its level, or R's percentile for it."""
    share = percentile(header)
    if share is not None:
        return share < 0.5 if role == "conf_low" else share > 0.5
    if not _LEVEL.search(header):
        return False
    rest = plain(_LEVEL.sub(" ", header))
    return rest in NAMES[role] or re.sub(r"^(?:ci|ki|ic)|(?:ci|ki|ic)$", "", rest) in NAMES[role]


_COUNT_ROLES = frozenset({"events", "n", "events_treatment", "n_treatment", "events_control",
                          "n_control", "n_at_risk"})  # fmt: skip


def _arm_and_quantity(role: str, header: str) -> bool:
    """Tell whether a header is made of a word for the arm and words for the quantity.

    ``exp_events``, ``n (control)`` and ``Total Placebo`` are, in whatever order.
    """
    quantity, _, arm = role.rpartition("_")
    if quantity not in _QUANTITIES:
        return False
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", header)
    words = [w for w in re.findall(r"[a-z]+|\d+", spaced.lower()) if w not in _FILLERS]
    of_arm = [w for w in words if w in _ARMS[arm].split()]
    rest = [w for w in words if w not in of_arm]
    if quantity == "events" and len(rest) > 1:
        rest = [w for w in rest if w != "n"]  # n_events_trt counts events
    return len(of_arm) == 1 and bool(rest) and set(rest) <= set(_QUANTITIES[quantity].split())


def find(
    headers: Sequence[str], role: str, given: Mapping[str, int], taken: Iterable[int] = ()
) -> int | None:
    """Return the position of the column for `role`, or None when no column stands for it.

    Parameters
    ----------
    headers : sequence of str
    role : str
        A key of :data:`NAMES`, or another name to be found as it is.
    given : mapping of role to position
        What ``--columns`` says.
    taken : iterable of int
        Columns that serve another role already.

    Raises
    ------
    DataError
        When two columns could serve.
    """
    if role in given:
        return given[role]
    used = {*taken, *given.values()}
    counted = role in _COUNT_ROLES
    free = [i for i in range(len(headers))
            if i not in used and not (counted and is_share(headers[i]))]  # fmt: skip
    exact = [i for i in free if headers[i] == role] or [
        i for i in free if plain(headers[i]) == plain(role)
    ]
    found = exact or [i for i in free if role in NAMES and stands_for(role, headers[i])]
    if len(found) > 1:
        names = [headers[i] for i in found]
        raise DataError(
            f"{' and '.join(map(repr, names))} both stand for it",
            column=role,
            allowed=f"one of them, or --columns {role}={names[0]}",
        )
    return found[0] if found else None


def mapping(text: str | None, headers: Sequence[str], roles: Iterable[str]) -> dict[str, int]:
    """Return what ``--columns events=deaths,n=total`` says, as role to position.

    Raises
    ------
    DataError
        For a part without ``=``, a role the command does not have, or a column the file has not.

    Examples
    --------
    >>> mapping("n=Total", ["events", "total"], ["events", "n"])
    {'n': 1}
    """
    out: dict[str, int] = {}
    known = list(roles)
    for part in _parts(text or ""):
        role, mark, name = (x.strip() for x in part.partition("="))
        if not mark or not role or not name:
            raise DataError("not a pair of names", column="--columns", value=repr(part),
                            allowed="such as events=deaths,n=total")  # fmt: skip
        role = next((r for r in known if plain(r) == plain(role)), role)
        if role not in known:
            raise DataError("not a column this command reads", column="--columns", value=role,
                            allowed=", ".join(known))  # fmt: skip
        at = [i for i, h in enumerate(headers) if h == name] or [
            i for i, h in enumerate(headers) if plain(h) == plain(name)
        ]
        if len(at) != 1:
            raise DataError("no such column in the file" if not at else "two columns have the name",
                            column="--columns", value=name, allowed=", ".join(headers))  # fmt: skip
        out[role] = at[0]
    return out


def _parts(text: str) -> list[str]:
    """Split at commas that stand before another ``name=``, so that names may hold commas."""
    return [p for p in re.split(r",(?=[^,=]+=)", text) if p.strip()]
