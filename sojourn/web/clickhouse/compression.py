"""Bodies on their way in and out: gzip, deflate, lz4 and zstd, bounded."""

from __future__ import annotations

import contextlib
import importlib
import zlib
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from sojourn.web.clickhouse.refusal import Refused


def _optional(*names: str) -> Any:
    """The first module that is installed: which of them is there depends on the version of Python."""
    for name in names:
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    return None


_lz4: Final = _optional("lz4.frame")
_zstd: Final = _optional("compression.zstd", "backports.zstd")


class Packer(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


class _Lz4Packer:
    def __init__(self) -> None:
        self._frame = _lz4.LZ4FrameCompressor()
        self._started = False

    def compress(self, data: bytes, /) -> bytes:
        head = b"" if self._started else self._frame.begin()
        self._started = True
        return bytes(head + self._frame.compress(data))

    def flush(self) -> bytes:
        return self.compress(b"") + bytes(self._frame.flush())


_PACKERS: Final[dict[str, Callable[[], Packer]]] = {
    **({"lz4": _Lz4Packer} if _lz4 else {}),
    **({"zstd": lambda: _zstd.ZstdCompressor()} if _zstd else {}),
    "gzip": lambda: zlib.compressobj(3, zlib.DEFLATED, 31),
    "deflate": lambda: zlib.compressobj(3),
}


def choose(accepted: str) -> str | None:
    """The cheapest encoding that `Accept-Encoding` names, or None."""
    names = {part.partition(";")[0].strip().lower() for part in accepted.split(",") if not part.replace(" ", "").endswith(";q=0")}
    return next((name for name in _PACKERS if name in names), None)


def pack(chunks: Iterable[bytes], encoding: str | None) -> Iterable[bytes]:
    """The chunks, compressed as they come."""
    if encoding is None:
        yield from chunks
        return
    packer = _PACKERS[encoding]()
    for chunk in chunks:
        if packed := packer.compress(chunk):
            yield packed
    yield packer.flush()


def unpack(body: bytes, encoding: str, most: int) -> bytes:
    """The body of a request. Refused if it cannot be read or is longer than `most` bytes."""
    if encoding in ("", "identity"):
        return body
    try:
        data = _unpack(body, encoding, most + 1)
    except Refused:
        raise
    except Exception as error:
        raise Refused(354, "ZLIB_INFLATE_FAILED", f"The request body is not {encoding}: {error}") from error
    if len(data) > most:
        raise Refused(223, "QUERY_IS_TOO_LARGE", f"The request body is longer than {most} bytes")
    return data


def _unpack(body: bytes, encoding: str, most: int) -> bytes:
    if encoding in ("gzip", "deflate"):
        return zlib.decompressobj(47 if encoding == "gzip" else 15).decompress(body, most)
    if encoding == "lz4" and _lz4:
        return bytes(_lz4.LZ4FrameDecompressor().decompress(body, max_length=most))
    if encoding == "zstd" and _zstd:
        return bytes(_zstd.ZstdDecompressor().decompress(body, most))
    raise Refused(89, "UNKNOWN_COMPRESSION_METHOD", f"Content-Encoding {encoding[:40]} is not known here: use gzip, lz4 or zstd")
