import pytest

from napari_hsisynth.errors import InputError, MissingExtraError


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"what": "wrong"}, "wrong"),
        ({"what": "wrong", "where": "a.npy"}, "a.npy: wrong"),
        ({"what": "wrong", "fix": "do this"}, "wrong; do this"),
        ({"what": "wrong\n  twice", "where": 3, "fix": "do\tthis"}, "3: wrong twice; do this"),
    ],
)
def test_message_is_one_line_with_what_where_and_fix(arguments, text):
    error = InputError(**arguments)
    assert str(error) == text
    assert (error.what, error.where, error.fix) == (
        arguments["what"],
        arguments.get("where"),
        arguments.get("fix", ""),
    )


def test_missing_extra_names_the_command():
    error = MissingExtraError("training", "train")
    assert isinstance(error, InputError)
    assert 'pip install "napari-hsisynth[train]"' in str(error)
