"""Pieces of deflate: concatenated in any order they are one valid gzip member."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegen.shm import deflate

Texts = st.lists(st.binary(max_size=3000), max_size=8)


@given(Texts)
def test_joined_pieces_are_one_gzip_member(texts: list[bytes]) -> None:
    """gzip decompresses header, pieces and trailer to the concatenated texts, with the right checksum."""
    crc, length = deflate.combine([(deflate.crc32(text), len(text)) for text in texts])
    pieces = [deflate.compress(text) for text in texts]
    joined = b"".join(texts)
    assert gzip.decompress(deflate.GZIP_HEADER + b"".join(pieces) + deflate.gzip_trailer(crc, length)) == joined
    assert (crc, length) == (zlib.crc32(joined), len(joined))
    assert deflate.decompress(b"".join(pieces)) == joined


@given(st.binary(max_size=500), st.binary(max_size=500))
def test_combined_checksum_without_isal(first: bytes, second: bytes) -> None:
    """crc32_combine in Python, for platforms without isal, equals the crc32 of the concatenated text."""
    combined = deflate.crc32_combine_python(zlib.crc32(first), zlib.crc32(second), len(second))
    assert combined == zlib.crc32(first + second)


@pytest.mark.parametrize("length", [0, 1, 63, 4096, 118_000_000])
def test_combined_checksum_of_long_texts(length: int) -> None:
    """The second text may be as long as a whole page."""
    expected = zlib.crc32(b"\0" * length, zlib.crc32(b"page"))
    assert deflate.crc32_combine_python(zlib.crc32(b"page"), zlib.crc32(b"\0" * length), length) == expected


def test_stream_that_is_expanded_in_slices() -> None:
    """A page is decompressed in parts that are cut anywhere."""
    pieces = b"".join(deflate.compress(bytes([65 + n]) * 5000) for n in range(5))
    stream = deflate.decompressor()
    text = b"".join(stream.decompress(pieces[start : start + 7]) for start in range(0, len(pieces), 7))
    assert text == b"".join(bytes([65 + n]) * 5000 for n in range(5))
