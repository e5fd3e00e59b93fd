"""Forms: what is well made is read exactly, whatever its bytes; anything else is refused and never an error of ours."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_pooler.protocol.multipart import MAX_PARTS, MalformedForm, Part, boundary_of, read_form, write_form

KIND = "multipart/form-data; boundary=b"
letters = st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters='"\\\x7f')
names = st.text(letters, min_size=1, max_size=20)
# data made of the very pieces that a delimiter is made of
data = st.lists(st.sampled_from([b"\r\n", b"--", b"b", b"--b", b"\r\n--b", b"x", b"\x00\xff", b"\r"])).map(b"".join)


def form(*parts: bytes, end: bytes = b"--b--\r\n") -> bytes:
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + end


def field(name: str, value: bytes = b"x", more: str = "") -> bytes:
    return f'Content-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value


@given(st.lists(st.tuples(names, st.binary(max_size=200)), max_size=8))
def test_what_is_written_is_read_again(fields: list[tuple[str, bytes]]) -> None:
    boundary = "0123456789abcdef0123456789abcdef"
    body = write_form([Part(name, memoryview(value)) for name, value in fields], boundary)
    if not fields:
        with pytest.raises(MalformedForm):
            read_form(b"", f"multipart/form-data; boundary={boundary}")
        return
    read = read_form(body, f"multipart/form-data; boundary={boundary}")
    assert [(part.name, bytes(part.data)) for part in read] == fields


@given(data)
def test_bytes_that_look_like_the_boundary_are_data_unless_they_are_one(value: bytes) -> None:
    lines = b"\r\n" + value + b"\r\n"
    if b"\r\n--b\r\n" in lines or b"\r\n--b--" in lines:
        return
    (part,) = read_form(form(field("file", value)), KIND)
    assert bytes(part.data) == value


@settings(max_examples=500)
@given(st.binary(max_size=300), st.text(max_size=80))
def test_nothing_that_comes_makes_it_fail(body: bytes, kind: str) -> None:
    for content_type in (kind, KIND):
        for each in (body, b"--b\r\n" + body, form(body)):
            with suppress(MalformedForm):
                read_form(each, content_type)


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ("Multipart/Form-Data;boundary=abc", b"abc"),
        ('multipart/form-data; boundary="a b"; charset=utf-8', b"a b"),
        ("multipart/form-data; charset=utf-8; BOUNDARY=abc", b"abc"),
        ("multipart/form-data; boundary=----WebKitFormBoundaryABC", b"----WebKitFormBoundaryABC"),
    ],
)
def test_boundaries_that_clients_use(kind: str, boundary: bytes) -> None:
    assert boundary_of(kind) == boundary


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        'multipart/form-data; boundary="a',
        'multipart/form-data; boundary="a "',
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=" + "a" * 71,
        "multipart/form-data; boundary=aé",
        'multipart/form-data; boundary="a\r\nb"',
        "multipart/mixed; boundary=a",
        "multipart/form-data boundary=a",
    ],
)
def test_boundaries_that_are_none(kind: str) -> None:
    with pytest.raises(MalformedForm):
        boundary_of(kind)


def test_names_as_browsers_and_libraries_write_them() -> None:
    parts = read_form(
        form(
            field("file", more='; filename="a \\"b\\".wav"'),
            field("ünï"),
            b"content-disposition: form-data; name=plain; filename=x.wav\r\ncontent-type: audio/wav\r\n\r\nx",
            b"Content-Disposition: form-data; name=\"f\"; filename*=UTF-8''%C3%A4.wav\r\n\r\nx",
        ),
        KIND,
    )
    assert [(part.name, part.filename) for part in parts] == [
        ("file", 'a "b".wav'),
        ("ünï", None),
        ("plain", "x.wav"),
        ("f", ""),
    ]
    assert parts[2].content_type == "audio/wav"


def test_so_many_fields_and_no_more() -> None:
    assert len(read_form(form(*[field(f"f{n}") for n in range(MAX_PARTS)]), KIND)) == MAX_PARTS
    with pytest.raises(MalformedForm):
        read_form(form(*[field(f"f{n}") for n in range(MAX_PARTS + 1)]), KIND)


def test_a_form_of_near_boundaries_takes_no_longer_than_others() -> None:
    body = form(field("file", b"\r\n--b " * 200_000))
    (part,) = read_form(body, KIND)
    assert len(part.data) == 1_200_000


def test_data_are_not_copied() -> None:
    body = form(field("file", b"y" * 1000))
    (part,) = read_form(body, KIND)
    assert part.data.obj is body
    assert "yyy" not in repr(part)
