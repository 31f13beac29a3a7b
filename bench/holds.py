"""How long a hold takes while 100 calls are under way, as the calls' own rows tell."""

import tempfile
from pathlib import Path

from load import wrk
from servers import admin_key, aos, call_api, upstream

from gateway import CHAT, STREAMED, file_of, with_two_budgets

CONCURRENT = 100
READ = 1_000


def hold_p99_ms() -> float:
    """From asking for a hold on two budgets to having it, 99th of a hundred.

    A hundred streams of an upstream that takes 200 ms, each followed by the next.
    """
    folder = Path(tempfile.mkdtemp(prefix="aos-bench-"))
    body = file_of(folder, "streamed", STREAMED)
    with upstream() as mock, aos(folder, f"{mock.url}/slow") as gate:
        wrk(gate.url + CHAT, body, with_two_budgets(gate, folder), CONCURRENT)
        key, took, cursor = admin_key(folder), list[float](), ""
        while len(took) < READ:
            page = call_api(gate, key, "GET", f"/api/v1/usage/calls?limit=100&status=ok{cursor}")
            for item in page["items"]:
                story = call_api(gate, key, "GET", f"/api/v1/usage/calls/{item['id']}")
                took.append(story["hold"]["took_ms"])
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
    took.sort()
    return took[int(len(took) * 0.99)]


if __name__ == "__main__":
    print(f"hold p99 at {CONCURRENT} concurrent: {hold_p99_ms():.2f} ms")
