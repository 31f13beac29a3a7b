"""The smallest words of the house: money, time, ids, failures.

Imports nothing of ours, does no I/O.
"""
