"""The files of an EPUB, unpacked within limits, and its package document.

The file may be hostile: what it unpacks to is limited before and while it is unpacked, nothing is written to the disk,
its XML is parsed without entities or external files, and a path outside it is refused.
"""

from __future__ import annotations

import codecs
import posixpath
import re
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from chatterbox_worker.errors import InvalidRequest, quote
from chatterbox_worker.text_files import decode

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MOST_FILES = 10_000
_MOST_BYTES = 20_000_000  # of one unpacked file: ten times the longest novel's text in one document
_MOST_BYTES_IN_ALL = 200_000_000
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # all that the format allows
_NAME_CODECS = ("idna", "punycode")
"""Python's for names of hosts: their time grows with the square of the text."""
_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_FONT_METHODS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""Fonts that are only obfuscated; every other encryption is a lock on the text."""


@dataclass(frozen=True, slots=True)
class EpubItem:
    path: str
    mimetype: str
    properties: tuple[str, ...]


class EpubPackage:
    """The files of an EPUB, by path, and its package document."""

    def __init__(self, archive: zipfile.ZipFile, where: str) -> None:
        self._archive, self._where = archive, where
        infos = archive.infolist()
        if len(infos) > _MOST_FILES:
            raise self.refuse(f"has {len(infos)} files; at most {_MOST_FILES} are read")
        self._files = {self._check_path(info.filename): info for info in infos}
        self._unpacked = 0
        self._refuse_encryption()
        rootfile = self.xml(_CONTAINER).find(".//{*}rootfile")
        if rootfile is None or not rootfile.get("full-path"):
            raise self.refuse("names no package document in its container.xml")
        self.path = self._check_path(unquote(rootfile.get("full-path", "")))
        self.root = self.xml(self.path)
        self.items = {
            item.get("id", ""): EpubItem(
                self.resolve(item.get("href", ""), self.path)[0],
                item.get("media-type", ""),
                tuple(item.get("properties", "").split()),
            )
            for item in self.root.iterfind("{*}manifest/{*}item")
        }

    def refuse(self, why: str) -> InvalidRequest:
        return InvalidRequest(f"{self._where} {why}", field="input")

    def _refuse_encryption(self) -> None:
        locked = any(info.flag_bits & 1 for info in self._files.values())
        if _ENCRYPTION in self._files:
            for data in self.xml(_ENCRYPTION).iterfind("{*}EncryptedData"):
                method = data.find("{*}EncryptionMethod")
                locked = locked or method is None or method.get("Algorithm") not in _FONT_METHODS
        if locked:
            raise self.refuse("is encrypted (DRM): it can be read only by the app of the shop that sold it")

    def __contains__(self, path: str) -> bool:
        return path in self._files

    def read(self, path: str) -> bytes:
        info = self._files.get(path)
        if info is None:
            raise self.refuse(f"has no file {quote(path)}, which it names")
        if info.compress_type not in _METHODS:
            raise self.refuse(f"compresses {quote(path)} in a way that no EPUB may")
        if info.file_size > _MOST_BYTES:
            raise self.refuse(f"unpacks to too much: {quote(path)} alone has {info.file_size} bytes")
        try:
            with self._archive.open(info) as file:
                data = file.read(_MOST_BYTES + 1)  # whatever size is stated
        except OSError:
            raise self.refuse(f"is damaged: {quote(path)} cannot be read") from None
        self._unpacked += len(data)
        if len(data) > _MOST_BYTES or self._unpacked > _MOST_BYTES_IN_ALL:
            raise self.refuse(f"unpacks to too much: {quote(path)} is past {_MOST_BYTES_IN_ALL} bytes in all")
        return data

    def xml(self, path: str) -> Element:
        from defusedxml.ElementTree import ParseError, fromstring  # noqa: PLC0415 - only an EPUB needs it

        try:
            root: Element = fromstring(self.read(path), forbid_dtd=False)
        except (ParseError, ValueError, LookupError) as error:  # ValueError: also of what defusedxml forbids
            raise self.refuse(f"cannot be read: {path} is not well-formed XML ({error})") from None
        return root

    def text(self, path: str) -> str:
        """A document; its encoding is its byte order mark's, its XML declaration's, or UTF-8."""
        data = self.read(path)
        declared = re.match(rb"""\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""", data)
        try:
            if declared is not None and not declared[1].lower().startswith(b"utf"):
                return data.decode(_codec(declared[1].decode()))
            return decode(data)
        except (LookupError, ValueError):
            raise self.refuse(f"cannot be read: {path} is not in the encoding that it declares") from None

    def resolve(self, href: str, base: str) -> tuple[str, str]:
        """The path and the fragment of a link in `base`; the path is empty for a link to elsewhere."""
        try:
            parts = urlsplit(href)
        except ValueError:
            return "", ""
        if parts.scheme or parts.netloc:
            return "", ""
        path = unquote(parts.path)
        joined = posixpath.normpath(posixpath.join(posixpath.dirname(base), path)) if path else base
        return self._check_path(joined), unquote(parts.fragment)

    def _check_path(self, path: str) -> str:
        if path.startswith("/") or ".." in re.split(r"[/\\]", path):
            raise self.refuse(f"names a path outside itself: {quote(path)}")
        return path


def _codec(encoding: str) -> str:
    """Python's name for the encoding of a page. Raises LookupError."""
    codec = codecs.lookup(encoding).name
    if codec in _NAME_CODECS:
        raise LookupError(encoding)
    return codec
