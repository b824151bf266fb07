import json
import os
import signal
import subprocess
import sys

import pytest

from napari_hsisynth import atomic
from napari_hsisynth.atomic import (
    atomic_folder,
    atomic_path,
    new_folder,
    recover_folder,
    replaced_folder,
    write_json,
    write_text,
)


def test_new_content_replaces_the_old_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / "deep" / "er" / "a.txt"
    write_text(path, "old")
    write_text(path, "new é\r\n")
    assert path.read_bytes() == "new é\r\n".encode()
    assert os.listdir(path.parent) == ["a.txt"]


def test_failure_keeps_the_old_file_and_removes_the_temporary_one(tmp_path):
    path = tmp_path / "a.npz"
    path.write_text("old")

    def fail():
        with atomic_path(path) as temporary:
            assert temporary.suffix == ".npz"
            assert temporary.parent == tmp_path
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.npz"]


def test_old_file_is_whole_until_the_block_ends(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_a_killed_writer_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    code = (
        "import sys, os, signal\n"
        "from napari_hsisynth.atomic import atomic_path\n"
        "with atomic_path(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)]).returncode == -signal.SIGKILL
    assert path.read_text() == "old"


def test_two_writers_do_not_share_a_temporary_name(tmp_path):
    with atomic_path(tmp_path / "a.txt") as one, atomic_path(tmp_path / "a.txt") as two:
        assert one != two
        one.write_text("1")
        two.write_text("2")
    assert (tmp_path / "a.txt").read_text() == "1"  # the outer block ends last


def test_a_name_as_long_as_the_file_system_allows(tmp_path):
    path = tmp_path / ("x" * 250 + ".json")
    write_json(path, {"a": 1})
    assert json.loads(path.read_text()) == {"a": 1}


def test_json_refuses_what_json_has_not(tmp_path):
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert not list(tmp_path.iterdir())


def fill(folder, text):
    (folder / "deep").mkdir()
    (folder / "deep" / "a.txt").write_text(text)


@pytest.mark.parametrize("can_swap", [True, False])
def test_a_folder_is_replaced_as_a_whole(tmp_path, monkeypatch, can_swap):
    if not can_swap:
        monkeypatch.setattr(atomic, "_swapped", lambda *folders: False)
    target = tmp_path / "x.[1]"
    for text in ("one", "two", "three"):
        with replaced_folder(tmp_path, target.name) as new:
            fill(new, text)
            assert new.parent == tmp_path
        assert (target / "deep" / "a.txt").read_text() == text
        assert os.listdir(tmp_path) == [target.name]

    def fail():
        with replaced_folder(tmp_path, target.name) as new:
            fill(new, "half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (target / "deep" / "a.txt").read_text() == "three"
    assert os.listdir(tmp_path) == [target.name]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems may not be able to")
def test_linux_swaps_folders_in_one_step(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    if not atomic._swapped(tmp_path / "one", tmp_path / "other"):
        pytest.skip("this file system cannot")
    assert os.listdir(tmp_path / "one") == ["other"]
    assert os.listdir(tmp_path / "other") == ["one"]
    assert not atomic._swapped(tmp_path / "one", tmp_path / "missing")


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
@pytest.mark.parametrize("can_swap", [True, False])
@pytest.mark.parametrize("moment", range(6))
def test_a_writer_killed_at_any_moment_leaves_the_old_folder_or_the_new(tmp_path, can_swap, moment):
    with replaced_folder(tmp_path, "x[1]") as new:
        fill(new, "old")
    code = (
        "import sys, os, signal, pathlib, shutil\n"
        "from napari_hsisynth import atomic\n"
        "root, moment, can_swap = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == 'True'\n"
        "calls = iter(range(100))\n"
        "def dying(real):\n"
        "    def call(*args, **kwargs):\n"
        "        if next(calls) == moment:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return real(*args, **kwargs)\n"
        "    return call\n"
        "pathlib.Path.rename = dying(pathlib.Path.rename)\n"
        "atomic._swapped = dying(atomic._swapped if can_swap else lambda *folders: False)\n"
        "atomic.sync_folder = dying(atomic.sync_folder)\n"
        "shutil.rmtree = dying(shutil.rmtree)\n"
        "with atomic.replaced_folder(root, 'x[1]') as new:\n"
        "    (new / 'deep').mkdir()\n"
        "    (new / 'deep' / 'a.txt').write_text('new')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path), str(moment), str(can_swap)]).returncode
    assert done in (0, -signal.SIGKILL)
    recover_folder(tmp_path, "x[1]")
    found = (tmp_path / "x[1]" / "deep" / "a.txt").read_text()
    assert found == "new" if done == 0 else found in ("old", "new")
    with replaced_folder(tmp_path, "x[1]") as new:
        fill(new, "newer")
    assert (tmp_path / "x[1]" / "deep" / "a.txt").read_text() == "newer"


def test_a_new_folder_appears_whole_or_not_at_all(tmp_path):
    def fail():
        with new_folder(tmp_path / "x") as hidden:
            hidden.mkdir()
            fill(hidden, "half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert os.listdir(tmp_path) == []
    (tmp_path / "x").mkdir()
    with new_folder(tmp_path / "x") as hidden:
        hidden.mkdir()
        fill(hidden, "whole")
    assert (tmp_path / "x" / "deep" / "a.txt").read_text() == "whole"


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "a.bands"
    with atomic_folder(path) as folder:
        assert folder.parent == path.parent
        (folder / "one").write_text("1")
        (folder / "inner").mkdir()
        (folder / "inner" / "two").write_text("2")
        assert not path.exists()
    assert (path / "inner" / "two").read_text() == "2"
    assert os.listdir(path.parent) == ["a.bands"]

    def fail():
        with atomic_folder(path) as folder:
            (folder / "three").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert sorted(os.listdir(path)) == ["inner", "one"]
    assert os.listdir(path.parent) == ["a.bands"]


def test_a_folder_of_any_place_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "a"
    for name in ("old", "new"):
        with atomic_folder(path) as folder:
            (folder / name).touch()
    assert os.listdir(path) == ["new"]
    assert os.listdir(tmp_path) == ["a"]


def test_a_folder_whose_place_cannot_be_taken_comes_back(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.mkdir()
    (path / "old").touch()
    real = os.rename

    def refuse(source, target, **_):
        if str(source).endswith(".new"):
            raise OSError("no")
        real(source, target)

    monkeypatch.setattr(os, "rename", refuse)
    monkeypatch.setattr(atomic, "_swapped", lambda *folders: False)

    def replace():
        with atomic_folder(path) as folder:
            (folder / "new").touch()

    with pytest.raises(OSError, match="no"):
        replace()
    assert os.listdir(path) == ["old"]
    assert os.listdir(tmp_path) == ["a"]
