"""Paths that people type: home folders, and what the system refuses to look at."""

import os
from pathlib import Path

import pytest

from napari_hsisynth.errors import InputError
from napari_hsisynth.photographs import files_in
from napari_hsisynth.typed_path import typed_path

UNUSABLE = ("~no-such-person.png", "a" * 5_000, "a\0b")


def test_home_folders_are_put_in_and_nothing_need_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert typed_path("~/masks") == tmp_path / "masks"
    assert typed_path(tmp_path / "gone") == tmp_path / "gone"
    (tmp_path / "file").touch()
    assert typed_path(tmp_path / "file" / "below") == tmp_path / "file" / "below"


@pytest.mark.parametrize("text", UNUSABLE)
def test_what_no_path_can_be_is_one_short_line(text: str) -> None:
    for read in (typed_path, files_in):
        with pytest.raises(InputError) as caught:
            read(text)
        assert len(str(caught.value).splitlines()) == 1
        assert len(str(caught.value)) < 200
        assert caught.value.where


def test_a_folder_without_permission_is_an_input_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(path: Path, **_: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)  # whoever runs the tests as an administrator may look everywhere
    with pytest.raises(InputError, match="Permission denied"):
        typed_path(tmp_path / "locked" / "mask.png")
