"""Answers with the bytes of a file that was opened already: what was looked at is what is sent."""

from __future__ import annotations

import os
from typing import Any, BinaryIO

from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send


class OpenedFileResponse(FileResponse):
    """Sends the file behind an open descriptor, with ranges, whatever its name stands for meanwhile."""

    def __init__(self, file: BinaryIO, **options: Any) -> None:
        self._file = file
        # Opening this path opens the very same file again; only this process can.
        super().__init__(f"/proc/self/fd/{file.fileno()}", stat_result=os.fstat(file.fileno()), **options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: send the file, then close it."""
        with self._file:
            await super().__call__(scope, receive, send)
