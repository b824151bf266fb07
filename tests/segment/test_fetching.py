"""Large files from a server that behaves badly: whole and right, or not there at all."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import threading

import pytest

from napari_hsisynth.errors import InputError
from napari_hsisynth.segment import fetching
from napari_hsisynth.study import Cancelled

CONTENT = bytes(range(256)) * 2000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def fetch(server, target, progress=lambda done, total: None, cancelled=lambda: False):
    fetching.fetch(
        f"{server.url}/file",
        target,
        size=len(CONTENT),
        has_hash=lambda path: hashlib.sha256(path.read_bytes()).hexdigest() == DIGEST,
        progress=progress,
        cancelled=cancelled,
    )


def test_a_file_comes_whole_with_its_progress_in_bytes(server, tmp_path):
    server.files["/file"] = CONTENT
    told = []
    fetch(server, tmp_path / "a" / "file", lambda *numbers: told.append(numbers))
    assert (tmp_path / "a" / "file").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_broken_connections_are_taken_up_where_they_broke(server, tmp_path):
    server.files["/file"] = CONTENT
    server.drop_after = [1000, 0, 200_000, 5]
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [wanted for _, _, wanted in server.asked] == [
        "",
        "bytes=1000-",
        "bytes=1000-",
        "bytes=201000-",
        "bytes=201005-",
    ]


def test_a_cancelled_download_leaves_no_file_and_goes_on_the_next_time(server, tmp_path):
    server.files["/file"] = CONTENT
    done = []
    with pytest.raises(Cancelled):
        fetch(server, tmp_path / "file", lambda now, _: done.append(now), lambda: bool(done) and done[-1] > 100_000)
    assert not (tmp_path / "file").exists()
    so_far = (tmp_path / "file.part").stat().st_size
    assert 100_000 < so_far < len(CONTENT)
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked[-1][2] == f"bytes={so_far}-"


def test_a_killed_download_leaves_no_file_and_goes_on_the_next_time(server, tmp_path):
    server.files["/file"] = CONTENT
    server.slow_s = 0.05
    target = tmp_path / "file"
    code = (
        "import sys; from pathlib import Path; from napari_hsisynth.segment.fetching import fetch\n"
        "fetch(sys.argv[1], Path(sys.argv[2]), size=int(sys.argv[3]), has_hash=bool, "
        "progress=lambda done, total: print(done, flush=True), cancelled=bool)"
    )
    words = [sys.executable, "-c", code, f"{server.url}/file", str(target), str(len(CONTENT))]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        while int(child.stdout.readline()) < 100_000:
            pass
        child.kill()
    assert not target.exists()
    so_far = (tmp_path / "file.part").stat().st_size
    assert 0 < so_far < len(CONTENT)
    server.slow_s = 0.0
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert server.asked[-1][2] == f"bytes={so_far}-"


def test_who_comes_second_waits_and_has_the_file_too(server, tmp_path):
    server.files["/file"] = CONTENT
    begun, go_on = threading.Event(), threading.Event()

    def hold(done, total):
        begun.set()
        go_on.wait(30)

    def release(done, total):  # the second one tells its progress while it waits
        go_on.set()

    first = threading.Thread(target=fetch, args=(server, tmp_path / "file", hold))
    first.start()
    assert begun.wait(30)
    fetch(server, tmp_path / "file", release)
    first.join(30)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert len(server.asked) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_waiting_for_another_program_can_be_cancelled(server, tmp_path):
    server.files["/file"] = CONTENT
    begun, go_on = threading.Event(), threading.Event()

    def hold(done, total):
        begun.set()
        go_on.wait(30)

    first = threading.Thread(target=fetch, args=(server, tmp_path / "file", hold))
    first.start()
    assert begun.wait(30)
    with pytest.raises(Cancelled):
        fetch(server, tmp_path / "file", cancelled=lambda: True)
    go_on.set()
    first.join(30)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_server_that_knows_no_ranges_starts_again(server, tmp_path):
    server.files["/file"] = CONTENT
    server.ignores_ranges = True
    server.drop_after = [1000]
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_wrong_bytes_are_never_taken_for_the_file(server, tmp_path):
    server.files["/file"] = CONTENT[:-1] + b"!"
    with pytest.raises(InputError, match="not the published file"):
        fetch(server, tmp_path / "file")
    assert not list(tmp_path.iterdir())
    server.files["/file"] = CONTENT
    fetch(server, tmp_path / "file")


def test_what_was_left_of_another_version_is_not_built_on(server, tmp_path):
    server.files["/file"] = CONTENT
    (tmp_path / "file.part").write_bytes(b"x" * (len(CONTENT) + 5))
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    (tmp_path / "file.part").write_bytes(b"x" * 100)
    with pytest.raises(InputError, match="not the published file"):
        fetch(server, tmp_path / "file")
    assert not (tmp_path / "file.part").exists()


def test_a_page_or_a_shorter_file_never_ends_as_the_file(server, tmp_path):
    server.files["/file"] = b"<html>please log in</html>"
    with pytest.raises(InputError, match="a shorter one"):
        fetch(server, tmp_path / "file")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("status", "words"), [(403, "refuses"), (503, "broke off")])
def test_a_refusal_is_said_at_once_and_trouble_after_some_attempts(server, tmp_path, status, words):
    server.files["/file"] = CONTENT
    server.status = status
    with pytest.raises(InputError, match=words):
        fetch(server, tmp_path / "file")
    assert len(server.asked) == (1 if status == 403 else 5)


def test_nobody_there_and_no_room_are_said(server, tmp_path, monkeypatch):
    server.shutdown()
    server.server_close()
    with pytest.raises(InputError, match="broke off"):
        fetch(server, tmp_path / "file")
    (tmp_path / "is a file").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be written"):
        fetch(server, tmp_path / "is a file" / "file")
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 0, 10))
    with pytest.raises(InputError, match="0 MB left"):
        fetch(server, tmp_path / "file")
