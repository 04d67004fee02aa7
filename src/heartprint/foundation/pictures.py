"""Pictures from anywhere, opened in a process of their own: what a file does to its decoder, it does there."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from heartprint.foundation.arrays import Image
from heartprint.foundation.errors import HeartprintError

LONGEST_SIDE = 1200
"""Px along the longer side to which pictures are shrunk: four times what networks of 300 px read, enough to turn and
photograph them; a small square of an ECG's grid then has 4 px or more."""
SECONDS = 4.0
"""Time that a picture may take; with the start of another process it stays below 5 s."""

_START_S = 60.0
_PROGRAM = (
    "import os; from heartprint.foundation.parallel import tie_to; tie_to(os.getppid()); "
    "from heartprint.foundation.picture_decoder import serve; serve()"
)


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture in grey.

    Attributes:
        pixels: ``(h, w)`` uint8, white = 255, upright.
        original: Height and width before it was shrunk, px; of a PDF as it was drawn.
        facts: What a DICOM file says of patient and recording, by keyword.
    """

    pixels: Image
    original: tuple[int, int]
    facts: Mapping[str, str] = field(default_factory=dict)


def read_picture(path: Path, *, page: int | None = None, longest_side: int = LONGEST_SIDE) -> Picture:
    """Read a picture of any kind, told by content: PNG, JPEG, TIFF, BMP, WebP, HEIC, PDF, an image or a PDF in DICOM.

    It is opened in another process that may use 4 s and 512 MB; a file that needs more, or kills it, is refused.
    Pictures are turned as their EXIF or TIFF note says, made grey (ITU-R BT.601, transparent parts white; DICOM by its
    window; of more than 8 bits those that are in use) and shrunk by averaging over areas; smaller ones stay as they
    are, pixel for pixel. Of several pages or frames one must be named.

    Args:
        path: The file.
        page: Number of a page of a PDF or TIFF, of a frame of DICOM, PNG or WebP, or of a picture in HEIC, from 1;
            None = the only one.
        longest_side: Most px along the longer side.

    Raises:
        HeartprintError: ``file-missing``, ``file-truncated``, ``file-too-large``, ``unreadable-file``,
            ``unknown-format``, ``unsupported-format``, ``no-image``, ``several-pages``, ``no-such-page``,
            ``image-too-large``, ``image-too-small``, ``blank-image``, ``too-much-memory`` or ``too-slow``.
    """
    return _decoder().read(path, page, longest_side)


def count_pages(path: Path) -> int:
    """Pages of a PDF or TIFF, frames of DICOM, PNG or WebP, pictures of HEIC: looked at where `read_picture` looks.

    Of a TIFF a thousand are counted; there may be more.

    Raises:
        HeartprintError: As `read_picture`.
    """
    return _decoder().count(path)


class _Decoder:
    """A decoding process, started when it is needed and again when a picture has killed it."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)

    def read(self, path: Path, page: int | None, longest_side: int) -> Picture:
        reply, data = self._told(path, {"page": page, "longest_side": longest_side})
        pixels = np.frombuffer(data, dtype=np.uint8).reshape(reply["height"], reply["width"])
        return Picture(pixels, tuple(reply["original"]), reply["facts"])

    def count(self, path: Path) -> int:
        reply, _ = self._told(path, {"count": True})
        return int(reply["pages"])

    def _told(self, path: Path, request: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        with self._lock:
            reply, data, late = self._ask(json.dumps({"path": str(path.absolute()), **request}).encode() + b"\n")
        if reply is None and late:
            raise HeartprintError(
                "too-slow",
                f"{path.name} could not be opened within {SECONDS:g} s. Export it again, smaller or in another format.",
            )
        if reply is None:
            raise HeartprintError(
                "unreadable-file",
                f"{path.name} breaks what opens it: it is damaged, or unpacks to far too much. Export it again.",
            )
        if "code" in reply:
            raise HeartprintError(reply["code"], reply["message"])
        return reply, data

    def _ask(self, line: bytes) -> tuple[dict[str, Any] | None, bytes, bool]:
        """The answer and its pixels, None if there is none; whether time was up."""
        process = self._running()
        assert process.stdin is not None
        try:
            process.stdin.write(line)
            process.stdin.flush()
            reply, data, late = _answer(process, SECONDS)
        except BrokenPipeError:
            reply, data, late = None, b"", False
        if reply is None or late:
            self.close()
        return reply, data, late

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        # The other process finds Heartprint where this one has found it; its libraries work in one thread.
        places = os.pathsep.join(place for place in sys.path if place)
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            # -P: what lies in the working directory is never taken for a module.
            [sys.executable, "-P", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **one, "PYTHONPATH": places},
        )
        ready, _, _ = _answer(self._process, _START_S)
        if ready is None:
            self.close()
            raise HeartprintError(
                "worker-died",
                "The process that opens pictures cannot be started. Install Heartprint again; see that memory is free.",
            )
        return self._process

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        # A process that was forked from this one does not own it.
        if process is None or self.pid != os.getpid():
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _answer(process: subprocess.Popen[bytes], seconds: float) -> tuple[dict[str, Any] | None, bytes, bool]:
    assert process.stdout is not None
    late = threading.Event()

    def stop() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        line = process.stdout.readline()
        reply: dict[str, Any] | None = json.loads(line) if line.endswith(b"\n") else None
        data = process.stdout.read(reply["bytes"]) if reply else b""
    finally:
        timer.cancel()
    if reply is None or len(data) < reply["bytes"]:
        return None, b"", late.is_set()
    return reply, data, late.is_set()


_own: _Decoder | None = None
_own_lock = threading.Lock()


def _decoder() -> _Decoder:
    """The decoder of this process."""
    global _own
    with _own_lock:
        if _own is None or _own.pid != os.getpid():
            _own = _Decoder()
        return _own
