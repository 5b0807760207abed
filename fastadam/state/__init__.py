"""How an optimizer's state leaves the process and comes back: state dicts, checkpoint files, other libraries' formats.

Nothing here steps anything, and an optimizer is known only by what it holds.
"""
