"""One page, one request to `/openapi.json`, nothing from anywhere else."""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import HTMLResponse

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def show_reference() -> HTMLResponse:
    page, policy = _page()
    return HTMLResponse(page, headers={"content-security-policy": policy})


@cache
def _page() -> tuple[str, str]:
    """The page, and a policy under which no other script or style can run in it."""
    page = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    sources = {
        tag: " ".join(
            f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
            for text in re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        )
        for tag in ("script", "style")
    }
    policy = (
        "default-src 'none'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"script-src {sources['script']}; style-src {sources['style']}"
    )
    return page, policy
