"""The command line's frame: exit status, one-line errors, and stdout kept for the result."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from napari_hsisynth import cli
from napari_hsisynth.errors import InputError


def test_bad_usage_is_one_line_and_status_2(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["crop"])
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_unknown_verb_is_bad_usage(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["fly"])
    assert stop.value.code == 2
    assert "fly" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"), [("465:630:16", np.linspace(465, 630, 16)), ("500,510.5", np.array([500, 510.5]))]
)
def test_wavelength_flag(text, expected):
    args = cli.build_parser().parse_args(["convert", "a", "b", "--wavelengths", text])
    np.testing.assert_allclose(args.wavelengths, expected)


@pytest.mark.parametrize("text", ["blue", "1:2", "a:b:c", ""])
def test_wavelength_flag_refuses_nonsense(text, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.build_parser().parse_args(["convert", "a", "b", "--wavelengths", text])
    assert stop.value.code == 2


def test_a_missing_file_is_bad_input_without_a_traceback(tmp_path, capsys):
    assert cli.main(["info", str(tmp_path / "nothing.mat")]) == cli.BAD_INPUT
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert "nothing.mat" in captured.err
    assert "Traceback" not in captured.err


def test_a_fault_of_ours_is_status_1_and_debug_shows_it(tmp_path, capsys, monkeypatch):
    def broken(args, out):
        raise RuntimeError("wheels came off")

    monkeypatch.setattr(cli.cropping, "crop", broken)
    assert cli.main(["crop", str(tmp_path)]) == cli.FAILED
    assert "wheels came off" in capsys.readouterr().err
    with pytest.raises(RuntimeError):
        cli.main(["crop", str(tmp_path), "--debug"])


def test_json_result_is_the_only_thing_on_stdout(tmp_path):
    source = tmp_path / "a.npy"
    np.save(source, np.random.default_rng(0).random((16, 8, 9), dtype=np.float32))
    words = [sys.executable, "-m", "napari_hsisynth", "convert", str(source), str(tmp_path / "a.mat"), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["shape"] == [16, 8, 9]
    assert "465-630 nm" in done.stderr  # the assumption about the wavelengths is said, but not on stdout


def test_error_text_says_what_where_and_what_to_do():
    error = InputError("no lesions\nare masked", where="study", fix="accept one")
    assert str(error) == "study: no lesions are masked; accept one"


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path):
    source = tmp_path / "a.npy"
    np.save(source, np.zeros((16, 4, 4), dtype=np.float32))
    code = "import sys; sys.stdin.read(1); from napari_hsisynth.cli import main; sys.exit(main())"
    words = [sys.executable, "-c", code, "info", str(source)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdout.close()  # before it has written anything
        _, err = child.communicate(b"x")
    assert err == b""
    assert child.returncode == 0


@pytest.mark.parametrize("verb", [["agreement", "study"], ["phantom", "study"]])
def test_a_seed_below_zero_is_refused_in_one_line(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([*verb, "--seed", "-1"])
    assert ended.value.code == cli.BAD_INPUT
    assert "'-1' is not a whole number of 0 or more" in capsys.readouterr().err
