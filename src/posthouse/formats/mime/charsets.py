"""Charsets of mail: from a name in a header to text, safely.

Spec: RFC 2045 §5.1 (charset parameter), RFC 2047 §2.

Notes:
    Only codecs in the table are ever looked up: the interpreter's own lookup imports modules by
    name and keeps every unknown name for ever, and some of its codecs (punycode, idna,
    unicode_escape) are no charsets of mail.
"""

from __future__ import annotations

from encodings.aliases import aliases

_NOT_TEXT = frozenset(
    {"base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec"}
    | {"mbcs", "unicode_escape", "raw_unicode_escape", "punycode", "idna", "undefined", "tactis"}
)
_MORE = {
    "utf8mb4": "utf_8",
    "unicode_1_1_utf_8": "utf_8",
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "iso_8859_6_i": "iso8859_6",
    "x_sjis": "cp932",
    "shift_jis": "cp932",
    "ks_c_5601_1987": "cp949",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x_gbk": "gb18030",
    "x_euc_jp": "euc_jp",
    "x_mac_roman": "mac_roman",
    "us_ascii": "cp1252",
    "ascii": "cp1252",
    "ansi_x3.4_1968": "cp1252",
    # Senders who name Latin-1 mean Windows' superset of it.
    "iso_8859_1": "cp1252",
    "iso8859_1": "cp1252",
    "latin_1": "cp1252",
    "latin1": "cp1252",
}


def _table() -> dict[str, str]:
    table = {name: codec for name, codec in aliases.items() if codec not in _NOT_TEXT}
    table.update({codec: codec for codec in table.values()})
    for page in range(1250, 1259):
        table[f"cp_{page}"] = table[f"x_cp{page}"] = f"cp{page}"
    table.update({f"cp{page}": f"cp{page}" for page in (720, 737, 856, 874, 875, 1006)})
    table.update({"koi8_r": "koi8_r", "koi8_u": "koi8_u", "utf_8_sig": "utf_8_sig"})
    table.update({f"iso_8859_{n}": f"iso8859_{n}" for n in range(2, 17) if n != 12})
    table.update(_MORE)
    return table


_CODECS = _table()


def codec_from_charset(name: str) -> str | None:
    """The codec behind a charset's name; None when we have none."""
    return _CODECS.get(name.strip(" \t\"'").lower().replace("-", "_").replace(" ", "_")[:40])


def text_from_bytes(raw: bytes, charset: str = "") -> str:
    """Decode by the charset named, else UTF-8, else Windows-1252; never raises.

    The result never holds lone surrogates, so it can always be stored.
    """
    codec = codec_from_charset(charset) if charset else None
    if codec in (None, "cp1252"):
        # Unlabelled or "us-ascii" mail is UTF-8 more often than not, and hardly ever by accident.
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("cp1252", "replace")
    try:
        text = raw.decode(codec or "utf-8", "replace")
    except (UnicodeError, ValueError, OverflowError):
        return raw.decode("cp1252", "replace")
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
