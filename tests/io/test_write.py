"""The writer: whole files or none, never over an input, never through a pipe or a device."""

from __future__ import annotations

import os
import resource
import signal
import stat
from pathlib import Path

import pytest

from metablin.errors import DataError
from metablin.io import check_outputs, write_bytes, write_text


def test_a_file_is_written_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_text(tmp_path / "o.csv", "a\n")
    write_text(tmp_path / "o.csv", "ä\n")
    assert (tmp_path / "o.csv").read_bytes() == "ä\n".encode()
    assert [p.name for p in tmp_path.iterdir()] == ["o.csv"]


def test_permissions_of_a_file_stay_and_new_files_follow_the_mask(tmp_path: Path) -> None:
    file = tmp_path / "o.csv"
    old = os.umask(0o027)
    try:
        write_text(file, "a")
        assert stat.S_IMODE(file.stat().st_mode) == 0o640
        file.chmod(0o600)
        write_text(file, "b")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    finally:
        os.umask(old)


def test_an_output_is_never_an_input(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text("keep")
    (tmp_path / "link.csv").symlink_to(file)
    os.link(file, tmp_path / "hard.csv")
    (tmp_path / "sub").mkdir()
    for name in ("in.csv", "link.csv", "hard.csv", "sub/../in.csv"):
        with pytest.raises(DataError, match="is an input"):
            write_text(tmp_path / name, "lost", [file])
    assert file.read_text() == "keep"


def test_two_outputs_are_two_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="two outputs"):
        check_outputs([tmp_path / "o.csv", tmp_path / "." / "o.csv"])


def test_a_link_to_a_file_is_followed_and_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    write_text(tmp_path / "link.csv", "new")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "new"


@pytest.mark.parametrize("kind", ["pipe", "device", "dangling", "loop"])
def test_what_is_no_regular_file_is_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "o.csv"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/null")
    elif kind == "dangling":
        path.symlink_to(tmp_path / "nowhere")
    else:
        path.symlink_to(path)
    with pytest.raises((DataError, OSError), match=r"o\.csv"):
        write_bytes(path, b"x")
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [(".", IsADirectoryError), ("no/o.csv", FileNotFoundError), ("f/o.csv", OSError)],
)
def test_the_system_says_why_and_the_path_is_the_users(
    tmp_path: Path, name: str, kind: type[OSError]
) -> None:
    (tmp_path / "f").write_text("a file, not a folder")
    with pytest.raises(kind) as caught:
        write_text(tmp_path / name, "x")
    assert ".tmp" not in str(caught.value.filename)
    assert str(tmp_path) in str(caught.value.filename)


def test_a_planted_link_under_a_foretold_name_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("keep")
    for name in (".o.csv.tmp", ".o.tmp.csv", "o.csv.tmp"):
        (tmp_path / name).symlink_to(victim)
    write_text(tmp_path / "o.csv", "x")
    assert victim.read_text() == "keep"
    assert (tmp_path / "o.csv").read_text() == "x"


def test_a_full_disk_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    file = tmp_path / "o.csv"
    file.write_text("old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(OSError, match=r"o\.csv"):
            write_bytes(file, b"x" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert file.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["o.csv"]
