"""The data path: admit → dispatch → settle. The only way to a provider.

`pipeline.py` tells the story of a call from top to bottom; `relay` carries the answer's bytes,
`settlement` puts what was spent on the books, `api.py` is the ASGI door of `/v1/*`.
"""
