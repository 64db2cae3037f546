"""tar, gzip and zip: headers with right checksums, records of pax, long names, sparse files, flags, directories, zip64."""

from __future__ import annotations

import gzip
import io
import itertools
import random
import re
import struct
import tarfile
import zipfile
import zlib

import numpy as np

from tests.components.image_example_gen.fuzz.damage import Field, Original, Piece, Pieces, fields, joined
from tests.serving.picture_files.made import saved

_TAR = ((0, "text", 100), (100, "octal", 8), (108, "octal", 8), (116, "octal", 8), (124, "octal", 12), (136, "octal", 12))
_TAR += (
    (148, "octal", 8),
    (156, ">1s", 0),
    (157, "text", 100),
    (257, ">6s", 0),
    (263, ">2s", 0),
    (329, "octal", 8),
    (345, "text", 155),
)
_TAR += ((386, "octal", 12), (398, "octal", 12), (410, "octal", 12), (482, ">B", 0), (483, "octal", 12))  # of GNU's sparse files
_TYPES = b"0\x001234567LKSxgXDMNV"
_PAX = (
    "size=-1",
    "size=99999999999999999999",
    "size=1e3",
    "path=",
    "path=../../x.png",
    "path=/etc/x.png",
    "path=a\0b.png",
    "size=",
)
_PAX += ("hdrcharset=BINARY", "GNU.sparse.major=1", "GNU.sparse.map=0,1,2", "GNU.sparse.map=a", "GNU.sparse.size=-5", "mtime=nan")
_PAX += (
    "GNU.sparse.realsize=99999999999999",
    "GNU.sparse.name=x.png",
    "GNU.sparse.numblocks=9999999",
    "linkpath=x",
    "path=" + "a/" * 3000,
)


def pictures(count: int = 3) -> dict[str, bytes]:
    """Small picture files by name."""
    return {f"{number}.png": saved(np.full((8, 8), 40 * number + 9, np.uint8), "PNG") for number in range(count)}


def tarred(members: dict[str, bytes], kind: int = tarfile.GNU_FORMAT) -> bytes:
    """A tar file."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=kind) as archive:
        for name, data in members.items():
            said = tarfile.TarInfo(name)
            said.size = len(data)
            archive.addfile(said, io.BytesIO(data))
    data = stream.getvalue().rstrip(b"\0")
    return data + bytes(-len(data) % 512 + 1024)


def tar_pieces(data: bytes) -> Pieces:
    """The headers and the contents of a tar file."""
    pieces, at = [], 0
    while at < len(data):
        block = data[at : at + 512]
        at += 512
        if not any(block):
            pieces.append(Piece(bytearray(block)))
            continue
        found = [
            Field(place, kind, size)
            for place, kind, size in _TAR
            if not (place >= 345 and block[257:263] == b"ustar\0" and place > 345)
        ]
        pieces.append(Piece(bytearray(block), found, None, "header"))
        size = int(block[124:135].strip(b"\0 ") or b"0", 8)
        if size:
            body = data[at : at + -(-size // 512) * 512]
            records = (
                [Field(one.start(), "text", len(one[0])) for one in re.finditer(rb"[^ =\n\0]+", body)]
                if block[156:157] in b"xg"
                else []
            )
            pieces.append(Piece(bytearray(body), records, None, "pax" if records else ""))
            at += len(body)
    return pieces


def mend_tar(pieces: Pieces) -> None:
    """Make the blocks whole and the checksums of headers right."""
    for piece in pieces:
        if piece.name == "header":
            if len(piece.data) != 512:  # a name that was made longer or shorter
                piece.data[:] = piece.data[:512].ljust(512, b"\0")
            piece.data[148:156] = b" " * 8
            piece.data[148:156] = b"%06o\0 " % sum(piece.data)
        elif len(piece.data) % 512:
            piece.data += bytes(-len(piece.data) % 512)


def kind_of_member(pieces: Pieces, rng: random.Random) -> None:
    """Make a member one of another kind: a link, a folder, a sparse file, a long name, a record of pax."""
    headers = [piece for piece in pieces if piece.name == "header" and len(piece.data) > 156]
    if headers:
        rng.choice(headers).data[156] = rng.choice(_TYPES)


def pax_records(pieces: Pieces, rng: random.Random) -> None:
    """Put a header of pax before a member, with records that are sound or not."""
    text = b""
    for record in rng.sample(_PAX, rng.randint(1, 3)):
        body = b" " + record.encode() + b"\n"
        length = len(body) + len(str(len(body) + 3))
        text += rng.choice((b"%d" % length, b"%d" % length, b"0", b"-5", b"999999999", b"x", b"")) + body
    head = bytearray(tarfile.TarInfo("pax").tobuf(tarfile.USTAR_FORMAT))
    head[156:157], head[124:136] = rng.choice((b"x", b"g")), b"%011o\0" % rng.choice((len(text), len(text), 0, 8**11 - 1))
    places = [number for number, piece in enumerate(pieces) if piece.name == "header"] or [0]
    at = rng.choice(places)
    pieces[at:at] = [Piece(head, [], None, "header"), Piece(bytearray(text))]


def _compress(data: bytes) -> bytes:
    """Pack as gzip does, the same in every run."""
    return gzip.compress(data, 1, mtime=0)


def tars() -> list[Original]:
    """Archives of each kind."""
    long = {"a" * 90 + "/" + "b" * 90 + ".png": pictures()["1.png"], **pictures(2)}
    sparse = bytearray(tarred({"0.png": pictures()["0.png"], "1.png": pictures()["1.png"]}))
    size = len(pictures()["0.png"])
    sparse[257:265] = b"ustar  \0"
    sparse[156:157], sparse[386:410], sparse[483:495] = b"S", b"%011o\0%011o\0" % (0, size), b"%011o\0" % size
    pax = {"täglich/1.png": pictures()["1.png"], **pictures(2)}
    datas = [
        tarred(pictures()),
        tarred(long),
        tarred(pax, tarfile.PAX_FORMAT),
        tarred(pictures(), tarfile.USTAR_FORMAT),
        bytes(sparse),
    ]
    datas[-1] = _summed(datas[-1])
    found = []
    for number, data in enumerate(datas):
        pack = _compress if number == 1 else bytes
        name = "{:06d}.tar.gz" if number == 1 else "{:06d}.tar"
        found.append(Original(name, tar_pieces(data), mend_tar, pack, damages=(kind_of_member, pax_records)))
    return found


def _summed(data: bytes) -> bytes:
    """A tar file with the right checksums of its headers."""
    pieces = tar_pieces(data)
    mend_tar(pieces)
    return joined(pieces)


def gzip_pieces(data: bytes, flags: int = 0) -> Pieces:
    """A member of a gzip file: the header with what its flags say, the packed data, and what is behind it."""
    coder = zlib.compressobj(1, zlib.DEFLATED, -15)
    packed = coder.compress(data) + coder.flush()
    extra = b""
    extra += struct.pack("<H4s", 4, b"AB\0\0") if flags & 4 else b""
    extra += b"name.png\0" if flags & 8 else b""
    extra += b"comment\0" if flags & 16 else b""
    head = b"\x1f\x8b\x08" + bytes([flags]) + bytes(4) + b"\0\x03" + extra
    head += struct.pack("<H", zlib.crc32(head) & 0xFFFF) if flags & 2 else b""
    places = [Field(0, ">2s"), *fields(2, "<BBIBB"), *fields(10, "<H" if flags & 4 else "<")]
    body = Piece(bytearray(packed), fields(0, "<BBBB"), None, "body")
    return [
        Piece(bytearray(head), places),
        body,
        Piece(bytearray(struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)), fields(0, "<II"), None, "end"),
    ]


def mend_gzip(pieces: Pieces) -> None:
    """Make checksums and lengths right that follow packed data."""
    for body, end in itertools.pairwise(pieces):
        if body.name == "body" and end.name == "end":
            try:
                data = zlib.decompressobj(-15).decompress(bytes(body.data), 1 << 24)
            except zlib.error:
                continue
            end.data[:] = struct.pack("<II", zlib.crc32(data), len(data))


def gzips() -> list[Original]:
    """Packed tar, IDX and TFRecord files: with every flag, and of several members."""
    from tests.components.image_example_gen.fuzz import arrays, tfrecord

    idx, records, archive = arrays.idx()[0], tfrecord.originals()[0], tarred(pictures())
    found = [Original("{:06d}.tar.gz", gzip_pieces(archive, flags), mend_gzip) for flags in (0, 8, 4 | 8 | 16, 2)]
    several = gzip_pieces(archive[:700]) + gzip_pieces(b"") + gzip_pieces(archive[700:])
    found.append(Original("{:06d}.tgz", several, mend_gzip))
    found.append(Original(idx.name + ".gz", gzip_pieces(idx.sound, 8), mend_gzip, beside=idx.beside))
    return [*found, Original(records.name + ".gz", gzip_pieces(records.sound), mend_gzip)]


_LOCAL, _CENTRAL, _END = "<HHHHHIIIHH", "<HHHHHHIIIHHHHHII", "<HHHHIIH"
_SIGNATURES = {
    b"PK\3\4": (_LOCAL, 30),
    b"PK\1\2": (_CENTRAL, 46),
    b"PK\5\6": (_END, 22),
    b"PK\6\6": ("<QHHIIQQQQ", 56),
    b"PK\6\7": ("<IQI", 20),
}


def zip_pieces(data: bytes) -> Pieces:
    """The headers of a zip file, each with its name and its extra fields, and what is packed."""
    pieces, at = [], 0
    while at < len(data):
        kind = data[at : at + 4]
        formats, size = _SIGNATURES[kind]
        names = 0
        if kind == b"PK\3\4":
            names, packed = sum(struct.unpack_from("<HH", data, at + 26)), struct.unpack_from("<I", data, at + 18)[0]
        elif kind == b"PK\1\2":
            names = sum(struct.unpack_from("<HHH", data, at + 28))
        end = len(data) if kind == b"PK\5\6" else at + size + names
        found = [Field(0, ">4s"), *fields(4, formats)]
        found += [Field(place, "<H") for place in range(size, size + names - 1, 2)]
        pieces.append(Piece(bytearray(data[at:end]), found, None, kind.decode()))
        at = end
        if kind == b"PK\3\4":
            if packed == 0xFFFFFFFF:
                packed = struct.unpack_from("<Q", data, end - names + struct.unpack_from("<H", data, at - names - 4)[0] + 12)[0]
            nxt = min(place for place in (data.find(b"PK\3\4", at + packed), data.find(b"PK\1\2", at + packed)) if place >= 0)
            pieces.append(Piece(bytearray(data[at:nxt])))
            at = nxt
    return pieces


def mend_zip(pieces: Pieces) -> None:
    """Make the places of members and of the directory right, and its length."""
    at, locals_, start, size, count, end64 = 0, [], 0, 0, 0, 0
    for piece in pieces:
        if piece.name == "PK\3\4":
            locals_.append(at)
        elif piece.name == "PK\1\2" and len(piece.data) >= 46:
            start = at if count == 0 else start
            if count < len(locals_) and piece.data[42:46] != b"\xff" * 4:
                piece.data[42:46] = struct.pack("<I", locals_[count])
            size, count = size + len(piece.data), count + 1
        elif piece.name == "PK\6\6" and len(piece.data) >= 56:
            piece.data[24:56] = struct.pack("<QQQQ", count, count, size, start)
            end64 = at
        elif piece.name == "PK\6\7" and len(piece.data) >= 16:
            piece.data[8:16] = struct.pack("<Q", end64)
        elif piece.name == "PK\5\6" and piece.data[16:20] != b"\xff" * 4 and len(piece.data) >= 22:
            piece.data[8:20] = struct.pack("<HHII", count & 0xFFFF, count & 0xFFFF, size, start)
        at += len(piece.data)


def zipped(members: dict[str, bytes], force: bool = False, comment: bytes = b"") -> bytes:
    """A zip file of members that are not packed; with zip64's extra fields where they are forced."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.comment = comment
        for name, data in members.items():
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=force) as member:
                member.write(data)
    return stream.getvalue()


def zips() -> list[Original]:
    """Stored and packed members, bzip2 and LZMA, comments, folders, and zip64."""
    end64 = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 3, 3, 0, 0) + struct.pack("<4sIQI", b"PK\6\7", 0, 0, 1)
    datas = [zipped(pictures()), zipped({f"cats/{name}": data for name, data in pictures().items()}, comment=b"comment")]
    datas += [zipped(pictures(), force=True)]
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", method) as archive:
            for name, data in pictures().items():
                archive.writestr(zipfile.ZipInfo(name), data, method)
        datas.append(stream.getvalue())
    plain = datas[0]
    at, (size, start) = len(plain) - 22, struct.unpack_from("<II", plain, len(plain) - 10)
    end64 = bytearray(end64)
    end64[40:56], end64[64:72] = struct.pack("<QQ", size, start), struct.pack("<Q", at)
    datas.append(plain[:at] + end64 + plain[at : at + 8] + b"\xff" * 12 + plain[-2:])
    return [Original("{:06d}.zip", zip_pieces(data), mend_zip) for data in datas]
