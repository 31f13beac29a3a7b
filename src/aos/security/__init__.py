"""The SecurityEngine in front of every call. Empty until the first detector is built."""
