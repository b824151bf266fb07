"""Which weights there are, where they are found, and how they are fetched from a server that behaves badly."""

from __future__ import annotations

import hashlib
import http.server
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from napari_hsisynth.errors import InputError
from napari_hsisynth.segment import fetching, hub_cache, load_segmenter, segmenter_models, weights
from napari_hsisynth.segment.weights import check_weights, locate_weights, official_weights, weights_status
from napari_hsisynth.segment.weights_download import download
from napari_hsisynth.study import Cancelled

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPO = "facebook/sam2.1-hiera-tiny"


def test_there_are_weights_for_every_model_that_needs_some():
    for name in ("sam2", "sam"):
        assert tuple(each.model for each in official_weights(name)) == segmenter_models(name)
    with pytest.raises(InputError, match="no weights of a segmenter 'spectral'"):
        official_weights("spectral")
    with pytest.raises(InputError, match="tiny, small, base-plus, large"):
        official_weights("sam2", "vit_b")


@pytest.mark.parametrize(("name", "model"), [("sam2", "tiny"), ("sam", "vit_b")])
def test_missing_weights_are_one_error_that_says_both_ways_to_get_them(name, model):
    with pytest.raises(InputError) as error:
        load_segmenter(name)
    assert f"napari-hsisynth weights fetch {name} --model {model}" in str(error.value)
    assert "folder" in str(error.value)
    status = weights_status(name, model)
    assert not status.present
    assert status.problem == str(error.value)


def in_hub_cache(folder: Path, *, repo: str = REPO) -> Path:
    """Put weights where Hugging Face's library puts what it fetches."""
    blobs = {}
    for name in ("config.json", "model.safetensors"):
        content = (folder / name).read_bytes()
        is_large = name == "model.safetensors"
        etag = hashlib.sha256(content).hexdigest() if is_large else "0" * 40
        blobs[name] = hub_cache.repo_folder(repo) / "blobs" / etag
        blobs[name].parent.mkdir(parents=True, exist_ok=True)
        blobs[name].write_bytes(content)
    return hub_cache.place(repo, COMMIT, blobs)


def test_what_another_program_fetched_from_the_hub_is_found(sam2_folder, cube, monkeypatch):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    snapshot = in_hub_cache(sam2_folder)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    located = locate_weights("sam2", "tiny")
    assert located.path == snapshot / "model.safetensors"
    assert located.stated_sha256 == check_weights(located)
    load_segmenter("sam2").set_cube(cube)
    # and the other way round: the library finds what we have put there
    found = huggingface_hub.try_to_load_from_cache(REPO, "model.safetensors", cache_dir=hub_cache.hub_folder())
    assert Path(found) == located.path


def test_half_a_snapshot_does_not_count(sam2_folder):
    snapshot = in_hub_cache(sam2_folder)
    (snapshot / "config.json").unlink()
    assert not weights_status("sam2", "tiny").present


def test_damage_in_the_hub_cache_is_noticed_before_anything_is_loaded(sam2_folder):
    path = (in_hub_cache(sam2_folder) / "model.safetensors").resolve()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged.*fetch it again"):
        load_segmenter("sam2")


def test_a_folder_or_file_of_the_user_is_taken(sam2_folder, sam_folder, sam_pth, tmp_path):
    assert locate_weights("sam2", "tiny", sam2_folder).path == sam2_folder / "model.safetensors"
    assert locate_weights("sam2", "tiny", sam2_folder / "model.safetensors").config == sam2_folder / "config.json"
    assert locate_weights("sam", "vit_b", sam_folder).config == sam_folder / "config.json"
    assert locate_weights("sam", "vit_b", sam_pth.parent).path == sam_pth
    both = tmp_path / "both"
    both.mkdir()
    for name in ("sam_vit_b_01ec64.pth", "other.pth"):
        (both / name).write_bytes(b"")
    assert locate_weights("sam", "vit_b", both).path.name == "sam_vit_b_01ec64.pth"
    with pytest.raises(InputError, match=r"2 \.pth files"):
        locate_weights("sam", "vit_l", both)


def test_what_cannot_be_weights_is_refused_in_words(tmp_path, sam2_folder, sam_pth):
    shutil.copy(sam2_folder / "model.safetensors", tmp_path)
    for name, given, words in (
        ("sam2", tmp_path / "nowhere", "no such file or folder"),
        ("sam2", sam_pth, "not in the form"),
        ("sam2", sam_pth.parent, "no weights of sam2"),
        ("sam2", tmp_path, "no weights of sam2"),
        ("sam", tmp_path / "model.safetensors", "config.json is missing"),
    ):
        with pytest.raises(InputError, match=words):
            load_segmenter(name, weights=given)


def test_a_fetched_file_of_meta_must_have_the_published_hash(sam_pth):
    path = weights.meta_path(official_weights("sam", "vit_b")[0])
    path.parent.mkdir(parents=True)
    shutil.copy(sam_pth, path)
    assert weights_status("sam", "vit_b").present
    with pytest.raises(InputError, match="damaged"):
        load_segmenter("sam")


# --- fetching


class Server(http.server.ThreadingHTTPServer):
    """Serves files as the hub does, with ranges, and misbehaves on demand."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.drop_after: list[int] = []  # bytes after which the next answers break off
        self.ignores_ranges = False
        self.status = 200
        self.asked: list[tuple[str, str, str]] = []
        self.slow_s = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        content = self.server.files.get(self.path)
        self.send_response(404 if content is None else 200)
        if content is not None:
            is_large = self.path.endswith(".safetensors")
            git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest() if is_large else git}"')
            self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()

    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range", "")
        server.asked.append((self.command, self.path, wanted))
        content = server.files.get(self.path)
        if content is None or server.status != 200:
            self.send_error(404 if content is None else server.status)
            return
        start = 0 if server.ignores_ranges else int(wanted.removeprefix("bytes=").rstrip("-") or 0)
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if wanted and not server.ignores_ranges else 200)
        if wanted and not server.ignores_ranges:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        rest = content[start:]
        if server.drop_after:
            self.wfile.write(rest[: server.drop_after.pop(0)])
            self.wfile.flush()
            self.close_connection = True
            return
        for begin in range(0, len(rest), 1 << 16):
            try:
                self.wfile.write(rest[begin : begin + (1 << 16)])
            except OSError:
                return
            time.sleep(server.slow_s)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(fetching, "_PAUSE_S", 0.001)
    server = Server()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


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


@pytest.fixture
def hub(server, sam2_folder, monkeypatch):
    pytest.importorskip("huggingface_hub")
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    for name in ("config.json", "model.safetensors"):
        server.files[f"/{REPO}/resolve/main/{name}"] = (sam2_folder / name).read_bytes()
    return server


def get(name="sam2", model="tiny", cancelled=lambda: False):
    told = []
    located = download(name, model, progress=lambda *numbers: told.append(numbers), cancelled=cancelled)
    return located, told


def test_weights_come_from_the_hub_and_work(hub, cube, sam2_folder):
    located, told = get()
    assert located.path.read_bytes() == (sam2_folder / "model.safetensors").read_bytes()
    size = sum((sam2_folder / name).stat().st_size for name in ("config.json", "model.safetensors"))
    assert told[-1] == (size, size)
    made = load_segmenter("sam2")
    made.set_cube(cube)
    assert made.weights_sha256 == located.stated_sha256
    asked = len(hub.asked)
    get()
    assert len(hub.asked) == asked, "what is there is not fetched again"


def test_a_cancelled_download_from_the_hub_does_not_count(hub):
    with pytest.raises(Cancelled):
        get(cancelled=lambda: len(hub.asked) > 1)  # when the second file has begun
    assert not weights_status("sam2", "tiny").present
    get()
    assert weights_status("sam2", "tiny").present


def test_other_bytes_than_the_hub_stated_are_refused(hub, monkeypatch):
    path = f"/{REPO}/resolve/main/model.safetensors"
    right = hub.files[path]
    head = Handler.do_HEAD

    def honest(handler):
        hub.files[path] = right
        head(handler)
        hub.files[path] = right[:-1] + b"!"

    monkeypatch.setattr(Handler, "do_HEAD", honest)
    with pytest.raises(InputError, match="not the published file"):
        get()
    assert not weights_status("sam2", "tiny").present


def test_nothing_is_fetched_offline_or_from_a_server_that_says_nothing(hub, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match="HF_HUB_OFFLINE"):
        get()
    monkeypatch.delenv("HF_HUB_OFFLINE")
    hub.files.clear()
    with pytest.raises(InputError, match="cannot be fetched"):
        get()
    monkeypatch.setattr("test_weights.COMMIT", "../../etc")
    hub.files[f"/{REPO}/resolve/main/config.json"] = b"{}"
    with pytest.raises(InputError, match="does not say"):
        get()


def test_metas_file_comes_from_meta_with_the_published_hash(server, sam_pth, monkeypatch):
    content = sam_pth.read_bytes()
    official = official_weights("sam", "vit_b")[0]
    server.files[f"/{official.meta_file}"] = content
    monkeypatch.setattr(weights, "_META", server.url)
    ours = weights.OfficialWeights("sam", "vit_b", official.repo, 1, official.meta_file, len(content), DIGEST)
    monkeypatch.setattr(weights, "OFFICIAL", (ours,))
    with pytest.raises(InputError, match="not the published file"):
        get("sam", "vit_b")
    right = hashlib.sha256(content).hexdigest()
    ours = weights.OfficialWeights("sam", "vit_b", official.repo, 1, official.meta_file, len(content), right)
    monkeypatch.setattr(weights, "OFFICIAL", (ours,))
    located, _ = get("sam", "vit_b")
    assert located.path.read_bytes() == content
    assert check_weights(located) == right
