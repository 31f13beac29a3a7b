"""The peers, installed into `.bench/` and started as their own documentation says."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import yaml
from servers import PEERS, Server, free_port, process

LITELLM = "1.106.2"
"""The newest release whose requirements can be installed (1.109.1 asks for an extras package that
was never published)."""
PORTKEY = "1.15.2"


def install() -> None:
    PEERS.mkdir(exist_ok=True)
    if not (PEERS / "litellm/bin/litellm").exists():
        uv = shutil.which("uv") or ".venv-uv/bin/uv"
        subprocess.run([uv, "venv", "-q", "-p", "3.11", str(PEERS / "litellm")], check=True)
        subprocess.run(
            [uv, "pip", "install", "-q", "--python", str(PEERS / "litellm/bin/python"),
             f"litellm[proxy]=={LITELLM}"],
            check=True,
        )  # fmt: skip
    if not (PEERS / "portkey/node_modules").exists():
        (PEERS / "portkey").mkdir(exist_ok=True)
        subprocess.run(
            ["npm", "install", "--silent", "--prefix", str(PEERS / "portkey"),
             f"@portkey-ai/gateway@{PORTKEY}"],
            check=True,
        )  # fmt: skip


@contextmanager
def litellm(upstream_url: str) -> Iterator[Server]:
    """One worker, no database, one model: the lightest it can be."""
    port = free_port()
    config = PEERS / "litellm.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "model_list": [
                    {
                        "model_name": "gpt-4o-mini",
                        "litellm_params": {
                            "model": "openai/gpt-4o-mini",
                            "api_base": f"{upstream_url}/v1",
                            "api_key": "sk-bench",
                        },
                    }
                ]
            }
        )
    )
    command = [str(PEERS / "litellm/bin/litellm"), "--config", str(config), "--port", str(port),
               "--host", "127.0.0.1", "--num_workers", "1"]  # fmt: skip
    variables = {
        **os.environ,
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        # It asks for a master key otherwise; without one it checks no key, which is the lightest.
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }
    url = f"http://127.0.0.1:{port}"
    with process("litellm", command, url, "/health/liveliness", env=variables) as server:
        yield server


@contextmanager
def portkey() -> Iterator[Server]:
    """No authentication, no ledger; the provider and its address come with each request."""
    port = free_port()
    start = PEERS / "portkey/node_modules/@portkey-ai/gateway/build/start-server.js"
    command = ["node", str(start), f"--port={port}", "--headless"]
    url = f"http://127.0.0.1:{port}"
    with process("portkey", command, url, env={**os.environ, "PORT": str(port)}) as server:
        yield server
