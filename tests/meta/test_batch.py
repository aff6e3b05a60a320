import numpy as np
import pandas as pd
import pytest

from metablin.effects import generic
from metablin.errors import DataError
from metablin.meta import pool
from metablin.meta.normal.batch import COLUMNS, pool_many

SAME = 1e-10
"""One formula on both ways; tau2 is iterated to rounding."""

METHODS = ("DL", "HE", "HS", "SJ", "ML", "REML", "EB", "PM")


def sets(m: int, k: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    v = rng.uniform(0.01, 0.4, (m, k))
    tau = rng.choice([0.0, 0.1, 0.4], size=(m, 1))
    return rng.normal(0.3, np.sqrt(v + tau**2)), v


@pytest.mark.parametrize("ci", ["z", "t", "hksj", "hksj-adhoc"])
@pytest.mark.parametrize("tau2", [*METHODS, 0.05])
def test_every_row_is_the_fit_pool_gives(tau2: str | float, ci: str) -> None:
    y, v = sets(40, 7)
    gone = np.random.default_rng(5).random(y.shape) < 0.2
    gone[0] = False
    y, v = np.where(gone, np.nan, y), np.where(gone, np.nan, v)
    found = pool_many(y, v, tau2=tau2, ci=ci)
    wanted = []
    for i in range(len(y)):
        fit = pool(generic(y[i][~gone[i]], v[i][~gone[i]]), tau2=tau2, ci=ci)
        want = {"k": fit.k, "tau2": fit.tau2, "i2": fit.i2, "h2": fit.h2, "q": fit.q}
        want |= {"q_p": fit.q_p, "statistic": fit.statistic, "p_value": fit.p_value}
        for name in ("estimate", "std_error", "conf_low", "conf_high", "pred_low", "pred_high"):
            want[name] = getattr(fit.analysis, name)
        wanted.append(want)
    for name, values in pd.DataFrame(wanted).items():
        np.testing.assert_allclose(found[name], values, rtol=SAME, atol=1e-12, err_msg=name)


def test_the_result_is_one_frame_with_the_common_columns() -> None:
    found = pool_many(*sets(5, 4))
    assert list(found.columns) == list(COLUMNS)
    assert found["k"].tolist() == [4] * 5


def test_a_row_does_not_depend_on_its_company() -> None:
    y, v = sets(300, 6)
    whole = pool_many(y, v)
    parts = pd.concat([pool_many(y[i : i + 1], v[i : i + 1]) for i in range(0, 300, 37)])
    pd.testing.assert_frame_equal(
        whole.iloc[::37].reset_index(drop=True), parts.reset_index(drop=True), check_exact=True
    )


def test_workers_do_not_change_a_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    y, v = sets(20_000, 8)
    one, two = pool_many(y, v), pool_many(y, v, n_jobs=2)
    assert one.to_numpy().tobytes() == two.to_numpy().tobytes()


def test_a_client_gets_the_same_chunks() -> None:
    class Future:
        def __init__(self, value: np.ndarray) -> None:
            self.value = value

        def result(self) -> np.ndarray:
            return self.value

    class Client:
        calls = 0

        def map(self, function, tasks, pure):  # type: ignore[no-untyped-def]
            self.calls = len(tasks)
            return [Future(function(task)) for task in tasks]

    y, v = sets(20_000, 8)
    client = Client()
    spread = pool_many(y, v, client=client)
    assert client.calls == 3
    assert spread.to_numpy().tobytes() == pool_many(y, v).to_numpy().tobytes()


def test_a_row_with_one_study_is_its_own_answer() -> None:
    y, v = np.array([[0.3, np.nan], [0.1, 0.5]]), np.array([[0.04, np.nan], [0.1, 0.2]])
    found = pool_many(y, v)
    assert found["conf_high"][0] == pytest.approx(0.3 + 1.959963984540054 * 0.2, rel=1e-12)
    assert found["tau2"][0] == 0
    assert np.isnan(found["pred_low"][0])


@pytest.mark.parametrize(
    ("y", "v", "words"),
    [
        ([[0.1, np.nan]], [[0.1, 0.1]], r"row 1 \(study 2\), column 'yi', value nan"),
        ([[0.1, 0.2]], [[0.1, 0.0]], r"row 1 \(study 2\), column 'vi', value 0"),
        ([[0.1], [np.nan]], [[0.1], [np.nan]], "row 2, column 'yi': no study"),
        ([[0.1, 0.2]], [[0.1]], "shape"),
        ([0.1, 0.2], [0.1, 0.1], "not a matrix"),
        ([["a"]], [[0.1]], "not numbers"),
    ],
)
def test_bad_rows_are_named(y: object, v: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        pool_many(y, v)  # type: ignore[arg-type]


def test_a_bad_row_is_named_from_a_worker_too() -> None:
    y, v = sets(20_000, 8)
    v[15_000, 2] = -1
    with pytest.raises(DataError, match=r"row 15001 \(study 3\), column 'vi', value -1"):
        pool_many(y, v, n_jobs=2)
