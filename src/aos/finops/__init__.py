"""Questions about money: what was spent, will be, would be.

Empty until its first question is built.
"""
