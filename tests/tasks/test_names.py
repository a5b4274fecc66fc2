"""A CSV file of names, as managers keep it."""

import pytest

from tasks.names import MOST_BYTES, NamesError, is_name, read_names

AMINA_AND_BARAKA = ["amina", "baraka b."]


@pytest.mark.parametrize(
    "text",
    [
        "amina\nbaraka b.\n",
        "amina\r\nbaraka b.\r\n",
        "amina\rbaraka b.",
        "\n amina \n\n  baraka b.\n,\n",
        "name\namina\nbaraka b.",
        "Name,Note\namina,speaks well\nbaraka b.,\n",
        "note;name\nspeaks well, they say;amina\n;baraka b.\n",
        "id\tNAME\n1\tamina\n2\tbaraka b.\n",
        'name,note\n"amina","two\nlines"\n"baraka b.",""\n',
        "amina,speaks well\nbaraka b.\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_names_are_read_however_a_spreadsheet_writes_them(text, encoding):
    assert read_names(text.encode(encoding)) == AMINA_AND_BARAKA


def test_names_of_any_script_are_read_with_their_joiners():
    names = ["مهدی\u200cزاده", "ශ්\u200dරියානි", "Ngũgĩ wa Thiong'o"]
    assert read_names("\n".join(names).encode()) == names


def test_a_name_that_was_guarded_against_formulas_is_the_name_again():
    assert read_names(b"name\n'=amina\n'amina'\n") == ["=amina", "'amina'"]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "The file has no names."),
        (b"name,note\n", "The file has no names."),
        (b"name,note\namina,x\n,y\n", "Line 3 has no name."),
        (b"name\namina\n\nbaraka\namina\n", "Line 5: 'amina' stands on line 2 already."),
        (b"amina\nbar\x07aka\n", r"Line 2: 'bar\\x07aka' cannot be a name."),
        (b'name,note\n"ami\nna",x\nbaraka\n', r"Line 2: 'ami\\nna' cannot be a name."),
        (b"amina\n" + b"x" * 101, "Line 2: 'xxxxxxxxxxxxxxxxxxxx'… is longer than 100 letters."),
        ("amina\nZoë".encode("latin-1"), "Line 2 is not in UTF-8: save the file as “CSV UTF-8”."),
        (b'name\n"amina"x\n', "Line 2 is not CSV"),
        (b"x" * (MOST_BYTES + 1), "The file is larger than 1 MB."),
        (b"x\n" * 1001, "The file has 1001 names: send at most 1000 at once."),
    ],
)
def test_what_is_not_a_list_of_names_is_refused_by_line_and_value(content, error):
    with pytest.raises(NamesError, match=error):
        read_names(content)


def test_every_wrong_line_is_told_up_to_a_number():
    with pytest.raises(NamesError) as refused:
        read_names(b"\n".join([b"amina", b"a\x00", *[b"amina"] * 11]))
    assert refused.value.errors[0] == r"Line 2: 'a\x00' cannot be a name."
    assert refused.value.errors[1] == "Line 3: 'amina' stands on line 1 already."
    assert len(refused.value.errors) == 11
    assert refused.value.errors[-1] == "And 2 more."


def test_a_thousand_names_below_a_header_are_not_too_many():
    assert len(read_names(b"name\n" + b"".join(b"n%d\n" % n for n in range(1000)))) == 1000


@pytest.mark.parametrize("text", ["", " ", "\u200d", "a\nb", "x" * 101])
def test_nobody_is_called_this(text):
    assert not is_name(text)
